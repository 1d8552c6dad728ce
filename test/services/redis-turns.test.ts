import type { Redis } from 'ioredis'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import t from 'tap'
import { RedisServer } from '../helpers/redis-server.js'

const server = await RedisServer.start(t)

/** Counts writes to the connection from now on, by any method of the stream. */
function countWrites(redis: Redis): () => number {
  const { stream } = redis as unknown as { stream: Writable }
  let writes = 0
  for (const name of ['_write', '_writev'] as const) {
    const write = stream[name]?.bind(stream) as (...args: unknown[]) => void
    stream[name] = (...args: unknown[]) => {
      writes += 1
      write(...args)
    }
  }
  return () => writes
}

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

void t.test('all Redis commands of one turn of the event loop leave together', async t => {
  const redis = await server.connect(t)
  const writes = countWrites(redis)
  const replies: Array<Promise<unknown>> = []
  const give = (value: number): void => void replies.push(redis.set(`together:${value}`, value))
  // Separate callbacks, like those of many connections.
  for (let i = 0; i < 10; i += 1) setImmediate(give, i)
  await nextTurn()
  t.same(
    await Promise.all(replies),
    Array.from({ length: 10 }, () => 'OK'),
  )
  t.equal(writes(), 1)
  t.equal(await redis.get('together:9'), '9')
  t.equal(writes(), 2)
})

void t.test('a process that exits in the middle of a turn has sent its commands', async t => {
  const script = `
    import { once } from 'node:events'
    import { pino } from 'pino'
    import { createRedis } from '#src/services/redis.js'
    const redis = createRedis({ url: '${server.url}' }, pino({ level: 'silent' }))
    await once(redis, 'ready')
    redis.set('last word', 'heard').catch(() => undefined)
    process.on('exit', () => void redis.set('very last word', 'heard').catch(() => undefined))
    process.exit(0)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' })
  t.same(await once(child, 'exit'), [0, null])
  t.same(await (await server.connect(t)).mget('last word', 'very last word'), ['heard', 'heard'])
})

void t.test('transactions and pipelines work unchanged', async t => {
  const redis = await server.connect(t)
  const [lone, pipeline, transaction] = await Promise.all([
    redis.incr('counted'),
    redis.pipeline().incr('counted').incr('counted').exec(),
    redis.multi().incr('counted').incr('counted').exec(),
  ])
  t.equal(lone, 1)
  t.same(
    pipeline?.map(([, value]) => value),
    [2, 3],
  )
  t.same(
    transaction?.map(([, value]) => value),
    [4, 5],
  )
})

void t.test('commands on hold fail with their connection, and the next connection holds its own', async t => {
  const redis = await server.connect(t)
  const { stream } = redis as unknown as { stream: Writable }
  const lost = redis.set('lost', '1')
  stream.destroy(new Error('ECONNRESET'))
  await t.rejects(lost)
  while (redis.status !== 'ready') await nextTurn()
  t.equal(await redis.get('lost'), null)
})
