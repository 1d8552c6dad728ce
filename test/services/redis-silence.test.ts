import { once } from 'node:events'
import { pino } from 'pino'
import t from 'tap'
import { createRedis } from '#src/services/redis.js'
import { until } from '../helpers/deadline.js'
import { RedisServer } from '../helpers/redis-server.js'

const server = await RedisServer.start(t)
const redis = createRedis({ url: server.url }, pino({ level: 'silent' }))
t.teardown(() => redis.disconnect())
await once(redis, 'ready')

void t.test('a busy process keeps its Redis connection and reads the reply late', async t => {
  const reply = redis.set('busy', '1')
  await new Promise(resolve => setImmediate(resolve))
  const from = performance.now()
  while (performance.now() - from < 1_500);
  t.equal(await reply, 'OK')
})

void t.test('commands fail while Redis hangs, and work again once it is back', async t => {
  server.freeze()
  await t.rejects(redis.get('busy'))
  await t.rejects(redis.get('busy'))
  server.thaw()
  await until(() => redis.status === 'ready', 'the connection is back')
  t.equal(await redis.get('busy'), '1')
})
