import { join } from 'node:path'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import t from 'tap'
import { embeddedRedis } from '#src/primary/embedded/embedded-redis.js'
import type { ManagedServer } from '#src/primary/embedded/managed-server.js'
import { loopbackPort } from '#src/primary/embedded/loopback-port.js'
import { readProc } from '#scripts/lib/proc.js'
import { Lifeline } from '#src/primary/host/lifeline.js'
import { until, within } from '../../helpers/deadline.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'
import { isAlive, processesOf } from '../../helpers/processes.js'

const silent = pino({ level: 'silent' })

function prepare(t: Harness): {
  folder: string
  socketPath: string
  create: (stopTimeoutMs?: number) => ManagedServer
  server: () => number[]
} {
  const folder = temporaryFolder(t)
  const lifeline = Lifeline.open(join(folder, 'lifeline'))
  t.teardown(() => lifeline.close())
  const socketPath = join(folder, 'redis.sock')
  const directory = join(folder, 'redis')
  const create = (stopTimeoutMs = 5_000): ManagedServer => {
    const redis = embeddedRedis({
      directory,
      socketPath,
      lifeline: lifeline.path,
      stopTimeoutMs: () => stopTimeoutMs,
      log: silent,
    })
    t.teardown(() => redis.stop())
    return redis
  }
  const server = (): number[] => processesOf(folder).map(({ pid }) => pid)
  return { folder, socketPath, create, server: () => server().filter(isAlive) }
}

async function withClient<T>(socketPath: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(socketPath, { retryStrategy: () => 50 })
  client.on('error', () => undefined)
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

void t.test('the embedded Redis keeps its data over a stop and a start', async t => {
  const { socketPath, create, server } = prepare(t)
  const first = create()
  await first.start()
  t.ok(await first.serving(20_000))
  await withClient(socketPath, client => client.set('key', 'value'))
  await Promise.all([first.stop(), first.stop()])
  t.strictSame(server(), [])

  const second = create()
  await second.start()
  t.ok(await second.serving(20_000))
  t.equal(await withClient(socketPath, client => client.get('key')), 'value')
  t.match(
    await withClient(socketPath, client => client.config('GET', 'appendfsync')),
    ['appendfsync', 'always'],
    'acknowledged writes are on the disk',
  )
  await second.stop()
})

void t.test('a Redis with a login is reached by a port with its password, which its arguments do not show', async t => {
  const folder = temporaryFolder(t)
  const lifeline = Lifeline.open(join(folder, 'lifeline'))
  t.teardown(() => lifeline.close())
  const port = loopbackPort(join(folder, 'port'))
  const redis = embeddedRedis({
    directory: join(folder, 'redis'),
    socketPath: join(folder, 'redis.sock'),
    login: { port, password: 'secret-of-redis', file: join(folder, 'redis.conf') },
    lifeline: lifeline.path,
    stopTimeoutMs: () => 5_000,
    log: silent,
  })
  t.teardown(() => redis.stop())
  await redis.start()
  t.ok(await redis.serving(20_000))
  const client = new Redis(`redis://:secret-of-redis@127.0.0.1:${port}`)
  const nobody = new Redis(port, '127.0.0.1')
  for (const each of [client, nobody]) each.on('error', () => undefined)
  t.equal(await client.ping(), 'PONG')
  await t.rejects(nobody.set('key', 'value'), { message: /NOAUTH/ })
  for (const each of [client, nobody]) each.disconnect()
  for (const { pid } of processesOf(folder)) t.notMatch(readProc(`${pid}/cmdline`), 'secret-of-redis')
})

void t.test('a Redis that was killed is restarted with its data', async t => {
  const { socketPath, create, server } = prepare(t)
  const redis = create()
  await redis.start()
  await redis.serving(20_000)
  await withClient(socketPath, client => client.set('key', 'value'))
  const [killed] = server()
  process.kill(killed!, 'SIGKILL')
  await until(() => server().length === 1 && server()[0] !== killed, 'another server', 20_000)
  t.equal(await withClient(socketPath, client => client.get('key')), 'value')
  await redis.stop()
  t.strictSame(server(), [])
})

void t.test('a Redis that hangs is killed and restarted with its data', async t => {
  const { socketPath, create, server } = prepare(t)
  const redis = create()
  await redis.start()
  await redis.serving(20_000)
  await withClient(socketPath, client => client.set('key', 'value'))
  const [hung] = server()
  process.kill(hung!, 'SIGSTOP')
  await until(() => !isAlive(hung!), 'its end', 30_000)
  t.equal(await withClient(socketPath, client => client.get('key')), 'value')
  await redis.stop()
  t.strictSame(server(), [])
})

void t.test('a stop while Redis starts leaves no process behind', async t => {
  const { create, server } = prepare(t)
  const redis = create()
  await redis.start()
  await redis.stop()
  await until(() => server().length === 0, 'its end', 20_000)
  t.notOk(await redis.serving(0))
})

void t.test('a Redis that ignores a stop is killed at the deadline', async t => {
  const { create, server } = prepare(t)
  const redis = create(200)
  await redis.start()
  await redis.serving(20_000)
  for (const pid of server()) process.kill(pid, 'SIGSTOP')
  await within(redis.stop(), 'the stop')
  await until(() => server().length === 0, 'its end', 20_000)
})

void t.test('a Redis that cannot be run is tried again and does not delay a stop', async t => {
  const { create, server } = prepare(t)
  const redis = create()
  await redis.start()
  await redis.serving(20_000)
  const { PATH } = process.env
  t.teardown(() => (process.env['PATH'] = PATH))
  process.env['PATH'] = '/no/such/folder'
  const [killed] = server()
  process.kill(killed!, 'SIGKILL')
  // The old server is gone, and no new one can be found.
  await until(async () => !(await redis.serving(0)), 'its end')
  process.env['PATH'] = PATH
  t.ok(await redis.serving(20_000))
  process.env['PATH'] = '/no/such/folder'
  process.kill(server()[0]!, 'SIGKILL')
  await until(async () => !(await redis.serving(0)), 'its end')
  await within(redis.stop(), 'the stop')
  t.strictSame(server(), [])
})
