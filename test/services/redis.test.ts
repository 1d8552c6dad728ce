import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { createLog } from '#src/process/log.js'
import { createRedis, firstConnection, isRedisReadOnly, isRedisUnavailable } from '#src/services/redis.js'
import { until, within } from '../helpers/deadline.js'
import { freePort } from '#scripts/lib/free-port.js'
import { RedisServer } from '../helpers/redis-server.js'

const log = createLog('test', 'silent')
const LONG_MS = 60_000

void t.test('commands work after the wait for the first connection', async t => {
  const server = await RedisServer.start(t)
  const redis = createRedis({ url: server.url }, log)
  t.teardown(() => redis.disconnect())
  await t.rejects(redis.ping(), 'it does not queue')
  await firstConnection(redis, LONG_MS)
  t.equal(await redis.ping(), 'PONG')
  await firstConnection(redis, LONG_MS)
})

void t.test('the wait for the first connection ends when Redis is known to be away', async t => {
  const redis = createRedis({ url: `redis://127.0.0.1:${await freePort()}` }, log)
  t.teardown(() => redis.disconnect())
  await within(firstConnection(redis, LONG_MS), 'the end of waiting')
  t.not(redis.status, 'ready')
})

void t.test('the wait for the first connection ends when Redis does not answer in time', async t => {
  const silent = net.createServer(socket => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const redis = createRedis({ url: `redis://127.0.0.1:${(silent.address() as net.AddressInfo).port}` }, log)
  t.teardown(() => redis.disconnect())
  await within(firstConnection(redis, 20), 'the end of waiting')
  t.not(redis.status, 'ready')
})

void t.test('a Redis without the configured database counts as away', async t => {
  const server = await RedisServer.start(t, '--databases', '16')
  const lines = new PassThrough({ encoding: 'utf8' })
  const redis = createRedis({ url: `${server.url}/99` }, pino(lines))
  t.teardown(() => redis.disconnect())
  const next = (event: string): Promise<unknown> => new Promise(resolve => redis.once(event, resolve))
  let served = false
  redis.on('ready', () => (served = true))
  for (let i = 0; i < 3; i++) {
    await within(next('reconnecting'), 'another try')
    await t.rejects(redis.set('key', 'lost'), { message: /isn't writeable/ })
  }
  t.notOk(served)
  t.match(await server.send('DBSIZE'), /^:0/, 'nothing is in another database')
  t.match(lines.read(), /^[^\n]*DB index is out of range[^\n]*redis is away[^\n]*\n$/, 'said once')

  await server.kill()
  await server.start('--databases', '100')
  if (redis.status !== 'ready') await within(next('ready'), 'the database')
  await redis.set('key', 'kept')
  t.match(await server.send('DBSIZE'), /^:0/)
  t.equal(await redis.dbsize(), 1)
})

void t.test('a Redis that loads its data is used as soon as it is ready', async t => {
  const server = await RedisServer.start(t)
  const redis = await server.connect(t)
  for (let i = 0; i < 40; i++) await redis.set(`key ${i}`, randomBytes(2_000).toString('base64'))
  await redis.bgrewriteaof()
  await until(async () => /aof_rewrite_in_progress:0/.test(await redis.info('persistence')), 'a file to load from')
  await server.kill()
  // `once` of node:events would also end with a connect that comes before the server listens.
  const ready = new Promise<void>(resolve => redis.once('ready', resolve))
  // Loading takes 50 ms per key, and Redis answers between keys.
  await server.start('--key-load-delay', '50000', '--loading-process-events-interval-bytes', '1024')
  await within(ready, 'the connection')
  const asked = Number(/cmdstat_info:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1])
  t.ok(asked > 6, `${asked} times`)
})

void t.test('temporary refusals of Redis are told from permanent errors', async t => {
  const server = await RedisServer.start(t)
  const refusal = async (...setting: [string, ...string[]]): Promise<{ unavailable: boolean; readOnly: boolean }> => {
    const admin = await server.connect(t)
    const redis = await server.connect(t)
    await admin.call(...setting)
    const error = await redis.incr('counter').then(
      () => t.fail('it should have been refused'),
      (error: unknown) => error,
    )
    return { unavailable: isRedisUnavailable(error), readOnly: isRedisReadOnly(error) }
  }
  t.strictSame(await refusal('SET', 'counter', 'no number'), { unavailable: false, readOnly: false }, 'a wrong command')
  t.strictSame(await refusal('CONFIG', 'SET', 'min-replicas-to-write', '1'), { unavailable: true, readOnly: true })
  const user = ['ACL', 'SETUSER', 'default', '-incr'] as const
  t.strictSame(await refusal(...user), { unavailable: true, readOnly: false }, 'not its user any more')
})

void t.test('temporary refusals inside a script of an older Redis are recognised', t => {
  const scripted = (refusal: string): Error => {
    const error = new Error(`ERR Error running script (call to f_a1b2): @user_script:3: @user_script: 3: ${refusal}`)
    return Object.assign(error, { name: 'ReplyError' })
  }
  const full = scripted("-OOM command not allowed when used memory > 'maxmemory'. ")
  const replica = scripted("-READONLY You can't write against a read only replica. ")
  for (const error of [full, replica]) {
    t.ok(isRedisUnavailable(error))
    t.ok(isRedisReadOnly(error))
  }
  for (const error of [scripted('ERR value is not an integer'), scripted('attempt to index a nil value: -OOMPH')]) {
    t.notOk(isRedisUnavailable(error))
    t.notOk(isRedisReadOnly(error))
  }
  t.end()
})
