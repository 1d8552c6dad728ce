import t from 'tap'
import { ChatClient, clientsOnAllWorkers } from '../helpers/chat-client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { RedisServer } from '../helpers/redis-server.js'

void t.test('messages reach all workers again after Redis was away', async t => {
  const redis = await RedisServer.start(t)
  const cluster = await Cluster.start(t, { REDIS_URL: redis.url })
  const clients = await clientsOnAllWorkers(t, cluster.url, 2)
  const before = cluster.supervision()
  await redis.kill()
  const [first] = clients
  for (let i = 0; i < 50; i += 1) await first!.say('to myself')
  await redis.start()
  let attempt = 0
  // The subscribers reconnect one after the other, and no event shows when the last one has.
  await until(
    async () => {
      attempt += 1
      await first!.say(`back ${attempt}`)
      return clients.every(({ messages }) => messages.some(message => String(message).startsWith('back')))
    },
    'a message to reach everybody again',
    20_000,
  )
  t.strictSame(cluster.supervision(), before)
  t.strictSame(
    clients.flatMap(({ disconnects }) => disconnects),
    [],
  )
})

void t.test('Outposts on one Redis database share their messages, and those on two databases do not', async t => {
  const redis = await RedisServer.start(t)
  const [one, two, other] = await Promise.all([
    Cluster.start(t, { REDIS_URL: redis.url, BALANCERS: '1' }),
    Cluster.start(t, { REDIS_URL: redis.url, BALANCERS: '0' }),
    Cluster.start(t, { REDIS_URL: `${redis.url}/1`, WORKERS: '1' }),
  ])
  const clients = [...(await clientsOnAllWorkers(t, one.url, 2)), ...(await clientsOnAllWorkers(t, two.url, 2))]
  const stranger = await ChatClient.connect(t, other.url, 'websocket')
  for (const [index, client] of clients.entries()) await client.say(index)
  await stranger.say('alone')
  for (const client of clients) for (const index of clients.keys()) await client.receives(index)
  await stranger.receives('alone')
  t.strictSame(stranger.messages, ['alone'])
  for (const client of clients) t.notOk(client.messages.includes('alone'))
})
