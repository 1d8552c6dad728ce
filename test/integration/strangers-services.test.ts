import t, { type Test } from 'tap'
import { io } from 'socket.io-client'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { strangers } from '../helpers/plain-node.js'

function start(t: Test, APP: string, env: Record<string, string>): Promise<Cluster> {
  return Cluster.start(t, { APP, ...env }, undefined, strangers)
}

const hints = ({ lines }: Cluster): string[] => lines.filter(line => line.includes('app keeps its'))

void t.test('state that an app keeps in its memory is in the log once, as soon as there are two workers', async t => {
  const cluster = await start(t, 'local-state.cjs', { WORKERS: '1' })
  t.match(cluster.supervision(), { redis: [], store: [] }, 'a plain app costs no Redis and no store')
  const paths = ['/', '/', '/socket.io/?EIO=4&transport=polling']
  for (const path of paths) await ask(cluster.url, path)
  // The worker has told the primary by then.
  await cluster.reload()
  t.strictSame(hints(cluster), [])
  await cluster.scale({ workers: 2 })
  await until(() => hints(cluster).length === 3, 'all three hints')
  await cluster.has('worker', 2)
  for (const path of [...paths, ...paths]) await ask(cluster.url, path)
  t.match(await cluster.stop(), { code: 0 })
  for (const remedy of [
    /keeps its rooms .*: outpost.io\(\) or an adapter/,
    /keeps its sessions .*: outpost.session\(\), a shared store or STICKY=cookie/,
    /keeps its rate limits .*: outpost.rateLimit\(\) or a shared store/,
  ]) {
    t.ok(
      hints(cluster).some(hint => remedy.test(hint)),
      String(remedy),
    )
  }
  t.equal(hints(cluster).length, 3)
})

void t.test('sessions in memory cause no warning with STICKY=cookie', async t => {
  const cluster = await start(t, 'local-state.cjs', { STICKY: 'cookie' })
  const client = io(cluster.url, { transports: ['websocket'], reconnection: false })
  t.teardown(() => client.close())
  await cluster.printed(/app keeps its rooms in the memory of each worker: /)
  t.equal(hints(cluster).length, 1, 'a Socket.IO server whose clients never poll is found, too')
  for (const path of ['/', '/']) await ask(cluster.url, path)
  await cluster.printed(/app keeps its rate limits in the memory of each worker: /)
  client.close()
  t.match(await cluster.stop(), { code: 0 })
  t.notOk(cluster.lines.find(line => line.includes('app keeps its sessions')))
})

void t.test('an app whose package.json names clients finds Redis and the store in its environment', async t => {
  const cluster = await start(t, 'names-clients', { WORKERS: '1' })
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'PONG, stored' })
  const [redis, store] = [cluster.pids('redis'), cluster.pids('store')]
  t.strictSame([redis.length, store.length], [1, 1])
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a lent service starts the server that it needs, and no other', async t => {
  const cluster = await start(t, 'lent-redis.mjs', { BALANCERS: '0' })
  await cluster.has('redis', 1)
  t.match(await ask(cluster.url, '/'), { status: 200, text: '1' })
  t.match(await ask(cluster.url, '/'), { status: 200, text: '2' })
  t.strictSame(cluster.pids('store'), [])
  t.notOk(cluster.lines.find(line => line.includes('redis is away')))
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a lent service without a server is an error that names EMBED', async t => {
  const cluster = Cluster.spawn(t, { APP: 'lent-redis.mjs', EMBED: 'none', WORKERS: '1' }, undefined, strangers)
  await cluster.printed(/outpost\.redis has no Redis with EMBED=none: set REDIS_URL, or EMBED=auto/)
})

void t.test('EMBED starts servers that nothing else asks for, and never overwrites what is set', async t => {
  const env = { EMBED: 'all', REDIS_URL: 'localhost', S3_ACCESS_KEY: 'of-the-app', WORKERS: '1', BALANCERS: '0' }
  const cluster = await start(t, 'environment.cjs', env)
  await cluster.has('redis', 1)
  await cluster.has('store', 1)
  const found = JSON.parse((await ask(cluster.url, '/')).text) as NodeJS.ProcessEnv
  t.match(found, { REDIS_URL: 'localhost', S3_ACCESS_KEY: 'of-the-app' })
  t.notHas(found, { S3_ENDPOINT: String })
  t.match(await cluster.stop(), { code: 0 })
})
