import net from 'node:net'
import type { Test } from 'tap'
import { ask } from '../../helpers/client.js'
import { ChatClient } from '../../helpers/chat-client.js'
import type { Cluster } from '../../helpers/cluster.js'
import { RawWebSocket } from '../../helpers/websocket-client.js'

/** A reserved opcode (RFC 6455, section 5.2). */
const RESERVED = 3

/** Idle sessions, and the setting MAX_WEBSOCKETS_PER_CLIENT that the cluster is started with, which is higher. */
export const FEW = { idle: 100, limit: 150 }
export const MANY = { idle: 500, limit: 600 }
const ONE_TOO_MANY_FROM = '127.0.0.77'

/** Malformed and hostile input over a WebSocket, on a cluster of any mode. */
export async function realtimeBadInputSuite(t: Test, cluster: Cluster, { idle, limit } = FEW): Promise<void> {
  const before = cluster.supervision()
  const bystander = await ChatClient.connect(t, cluster.url, 'websocket')

  /** Sends something bad, waits for the end of the connection, and checks that all else is as before. */
  const afterwards = async (t: Test, send: (socket: RawWebSocket) => unknown): Promise<Ending> => {
    const socket = await RawWebSocket.joinChat(cluster.port)
    t.teardown(() => socket.connection.destroy())
    send(socket)
    const ending = await socket.untilClosed()
    await bystander.say(t.name)
    await bystander.receives(t.name)
    t.strictSame(bystander.disconnects, [])
    t.strictSame(cluster.supervision(), before)
    t.equal((await ask(cluster.url, '/health')).status, 200)
    return ending
  }

  await t.test('a frame that is not masked ends its connection only', async t => {
    t.equal((await afterwards(t, socket => socket.send('42["message",1]', { masked: false }))).closeCode, 1002)
  })

  await t.test('a reserved opcode ends its connection only', async t => {
    t.equal((await afterwards(t, socket => socket.send('x', { opcode: RESERVED }))).closeCode, 1002)
  })

  await t.test('text that is not UTF-8 ends its connection only', async t => {
    t.equal((await afterwards(t, socket => socket.send(Buffer.from([0xc3, 0x28])))).closeCode, 1007)
  })

  await t.test('a frame of 2 MB ends its connection only', async t => {
    await afterwards(t, socket => socket.send(Buffer.alloc(2 * 1024 * 1024, 0x20)))
  })

  const malformed = {
    'an unknown Engine.IO packet': '9',
    'an unknown Socket.IO packet': '49',
    'an event that is not an array': '42{"message":1}',
    'an event that is not JSON': '42["message",',
    'an event of a reserved name': '42["connect",1]',
    'attachments without number': '45-["message",{"_placeholder":true,"num":0}]',
    'a thousand attachments': '451000-["message",{"_placeholder":true,"num":0}]',
  }
  for (const [name, packet] of Object.entries(malformed)) {
    await t.test(`${name} ends its connection only`, t => afterwards(t, socket => socket.send(packet)))
  }

  await t.test('a message that is nested deeper than the stack ends its connection only', async t => {
    const depth = 30_000
    const ending = await afterwards(t, socket => socket.send(`42["message",${'['.repeat(depth)}${']'.repeat(depth)}]`))
    t.match(ending.text, /BAD_MESSAGE/)
  })

  await t.test('messages faster than anybody types end their connection only', async t => {
    const ending = await afterwards(t, socket => {
      for (let i = 0; i < 1_000; i += 1) socket.send('42["message",1]')
    })
    t.match(ending.text, /RATE_LIMITED/)
  })

  await t.test('an upgrade to an unknown path is answered 404', async t => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
    t.equal((await ask(cluster.url, '/nothing-here', { headers })).status, 404)
    t.strictSame(cluster.supervision(), before)
  })

  await t.test(`${idle} idle sessions do not stop other requests`, async t => {
    const sockets = await inTurns(idle, () => RawWebSocket.joinChat(cluster.port))
    t.teardown(() => sockets.forEach(({ connection }) => connection.destroy()))
    const silent = Array.from({ length: 100 }, () => net.connect(cluster.port, '127.0.0.1'))
    t.teardown(() => silent.forEach(socket => socket.destroy()))
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(cluster.url, '/health')))
    t.ok(answers.every(({ status }) => status === 200))
    t.strictSame(cluster.supervision(), before)
  })

  await t.test('idle sockets over the limit of one address are refused', async t => {
    const wanted = limit + 40
    const upgrade = (): ReturnType<typeof RawWebSocket.upgrade> => RawWebSocket.upgrade(cluster.port, ONE_TOO_MANY_FROM)
    const upgrades = await inTurns(wanted, upgrade)
    t.teardown(() => upgrades.forEach(({ connection }) => connection.destroy()))
    t.equal(upgrades.filter(({ status }) => status === 101).length, limit)
    t.equal(upgrades.filter(({ status }) => status === 429).length, 40)
    t.equal(
      (await ask(cluster.url, '/health', { from: ONE_TOO_MANY_FROM })).status,
      200,
      'plain requests are still served',
    )
    await bystander.say(t.name)
    await bystander.receives(t.name)
    t.strictSame(cluster.supervision(), before)
  })
}

/** Not all at once, because the number of handshakes in flight is bounded as well. */
async function inTurns<T>(count: number, once: () => Promise<T>): Promise<T[]> {
  const all: T[] = []
  while (all.length < count) {
    all.push(...(await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - all.length) }, once))))
  }
  return all
}

const AT_ONCE = 100

type Ending = Awaited<ReturnType<RawWebSocket['untilClosed']>>
