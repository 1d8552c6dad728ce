import { once } from 'node:events'
import net from 'node:net'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import { Server } from 'socket.io'
import t, { type Test } from 'tap'
import { RealtimeBus } from '#src/services/realtime-bus.js'
import { createRedis, isRedisReadOnly } from '#src/services/redis.js'
import { until } from '../helpers/deadline.js'
import { RedisServer } from '../helpers/redis-server.js'

/** An address that leads to one server and later to another, as a name does. Connections stay where they were opened. */
async function address(t: Test, server: RedisServer): Promise<{ url: string; moveTo(server: RedisServer): void }> {
  let target = server.port
  const sockets = new Set<net.Socket>()
  const relay = net.createServer(client => {
    const upstream = net.connect(target, '127.0.0.1')
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => other.destroy())
      socket.pipe(other)
    }
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  t.teardown(() => {
    relay.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    url: `redis://127.0.0.1:${(relay.address() as net.AddressInfo).port}`,
    moveTo: ({ port }) => (target = port),
  }
}

/** Promotes `replica`, and makes the server that was its primary a replica of it. */
async function failOver(primary: RedisServer, replica: RedisServer): Promise<void> {
  await replica.send('REPLICAOF', 'NO', 'ONE')
  await primary.send('REPLICAOF', '127.0.0.1', String(replica.port))
}

void t.test('a client follows a Redis whose replica is promoted behind the same name', async t => {
  const [first, second] = await Promise.all([
    RedisServer.start(t, '--repl-diskless-sync-delay', '0'),
    RedisServer.start(t),
  ])
  await second.send('REPLICAOF', '127.0.0.1', String(first.port))
  const name = await address(t, first)
  const lines = new PassThrough({ encoding: 'utf8' })
  const log = pino({ base: null, timestamp: false }, lines)
  const redis = createRedis({ url: name.url }, log)
  t.teardown(() => redis.disconnect())
  await once(redis, 'ready')
  const bus = new RealtimeBus({ url: name.url }, redis, pino({ level: 'silent' }))
  new Server().adapter(bus.adapter)
  t.teardown(() => bus.stop())
  await redis.set('kept', 'yes')
  await until(async () => (await second.send('GET', 'kept')).includes('yes'), 'the replica')
  await until(async () => (await subscribersOf(first)) === 1, 'the subscriber at the first server')

  await failOver(first, second)
  name.moveTo(second)
  const refusal = await redis.set('key', 'value').catch((error: unknown) => error)
  t.ok(isRedisReadOnly(refusal))
  await until(async () => (await redis.set('key', 'value').catch(() => '')) === 'OK', 'a server that takes writes')
  t.equal(await redis.get('kept'), 'yes')
  t.match(await second.send('GET', 'key'), /value/)
  await until(async () => (await subscribersOf(second)) === 1, 'the subscriber at the second server')
  const said: string[] = []
  await until(() => {
    said.push(
      ...String(lines.read() ?? '')
        .split('\n')
        .filter(line => line !== ''),
    )
    return said.some(line => line.includes('accepts commands again'))
  }, 'the line that tells of the recovery')
  const about = said.filter(line => line.includes('commands'))
  t.match(about, [/redis refuses commands: its address is resolved again/, /redis accepts commands again/])
  t.equal(about.length, 2)
})

void t.test('a replica that is promoted in place is used again without a new connection for each command', async t => {
  const [primary, server] = await Promise.all([RedisServer.start(t), RedisServer.start(t)])
  await server.send('REPLICAOF', '127.0.0.1', String(primary.port))
  const redis = await server.connect(t)
  const refusals = await Promise.all(
    Array.from({ length: 20 }, () =>
      redis.set('key', 'value').then(
        () => '',
        (error: unknown) => (error as Error).message,
      ),
    ),
  )
  t.strictSame([...new Set(refusals.map(text => text.split(' ')[0]))], ['READONLY'])
  const connections = /total_connections_received:(\d+)/
  const before = Number(connections.exec(await server.send('INFO', 'stats'))?.[1])
  await server.send('REPLICAOF', 'NO', 'ONE')
  await until(async () => (await redis.set('key', 'value').catch(() => '')) === 'OK', 'a write')
  const after = Number(connections.exec(await server.send('INFO', 'stats'))?.[1])
  // One of the client, those of `send` here, and at most one more of a second try.
  t.ok(after - before <= 5, `${after - before} connections`)
})

void t.test('a replica without its primary and without old data is left as well', async t => {
  const primary = await RedisServer.start(t)
  const replica = await RedisServer.start(t, '--replica-serve-stale-data', 'no')
  const name = await address(t, replica)
  const redis = createRedis({ url: name.url }, pino({ level: 'silent' }))
  t.teardown(() => redis.disconnect())
  await once(redis, 'ready')
  // Nothing listens there, so the replica has no data to serve.
  const gone = await RedisServer.notStarted(t)
  await replica.send('REPLICAOF', '127.0.0.1', String(gone.port))
  name.moveTo(primary)
  await t.rejects(redis.get('key'), /^MASTERDOWN/)
  await until(async () => (await redis.set('key', 'value').catch(() => '')) === 'OK', 'a server that takes writes')
  t.match(await primary.send('GET', 'key'), /value/)
})

void t.test('a server that does not tell its role is not said to accept commands again', async t => {
  const [primary, server] = await Promise.all([RedisServer.start(t), RedisServer.start(t)])
  await server.send('REPLICAOF', '127.0.0.1', String(primary.port))
  await server.send('ACL', 'SETUSER', 'default', '-role')
  const lines = new PassThrough({ encoding: 'utf8' })
  const redis = createRedis({ url: server.url }, pino({ base: null, timestamp: false }, lines))
  t.teardown(() => redis.disconnect())
  await once(redis, 'ready')
  let departures = 0
  redis.on('close', () => (departures += 1))
  const leavesAgain = async (): Promise<boolean> => {
    await redis.set('key', 'value').catch(() => undefined)
    return departures >= 2
  }
  await until(leavesAgain, 'a second departure, which a further refusal causes')
  t.notMatch(String(lines.read()), /accepts commands again/)
})

async function subscribersOf(server: RedisServer): Promise<number> {
  const reply = await server.send('CLIENT', 'LIST', 'TYPE', 'PUBSUB')
  return reply.split('\n').filter(line => line.includes(' cmd=')).length
}
