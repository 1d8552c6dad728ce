import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { PacedReads } from '#src/worker/paced-reads.js'

/** The bytes that are sent over one connection: more than is read at once. */
const SENT = Buffer.from(Array.from({ length: 400_000 }, (_, i) => i % 251))

function busyFor(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

interface Piece {
  client: string
  turn: number
}

/**
 * Connections of clients, each of which sends the same, to an app that works on each byte as long.
 * @param clients the name of the client of each connection
 */
async function serve(t: Test, clients: readonly string[], bytesPerMs: number) {
  const paced = new PacedReads()
  const pieces: Piece[] = []
  const names = [...clients]
  let turn = 0
  let isOver = false
  const count = (): void => {
    turn += 1
    if (!isOver) setImmediate(count)
  }
  count()
  t.teardown(() => (isOver = true))
  const received: Promise<string>[] = []
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    const client = names.shift() ?? ''
    paced.pace(socket, client)
    const hash = createHash('sha256')
    let bytes = 0
    socket.on('data', chunk => {
      pieces.push({ client, turn })
      busyFor(chunk.length / bytesPerMs)
      hash.update(chunk)
      bytes += chunk.length
    })
    received.push(once(socket, 'end').then(() => (socket.end(), bytes === SENT.length ? hash.digest('hex') : '')))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const senders: Socket[] = []
  for (let i = 0; i < clients.length; i += 1) {
    const sender = net.connect({ port, host: '127.0.0.1' })
    senders.push(sender.resume())
    await once(sender, 'connect')
  }
  for (const sender of senders) sender.end(SENT)
  await Promise.all(senders.map(sender => once(sender, 'close')))
  return { pieces, received: await Promise.all(received) }
}

const WHOLE = createHash('sha256').update(SENT).digest('hex')

void t.test('bytes arrive in the order in which they were sent, and the end after them', async t => {
  for (const bytesPerMs of [Infinity, 100_000, 4_000]) {
    const { received } = await serve(t, ['a', 'a', 'b'], bytesPerMs)
    t.strictSame(received, [WHOLE, WHOLE, WHOLE], `${bytesPerMs} bytes/ms`)
  }
})

void t.test('one connection of each client goes on in a turn, however many a client has', async t => {
  const { pieces } = await serve(t, [...Array<string>(8).fill('many'), 'one'], 8_000)
  const inTurn = new Map<string, number>()
  // How fast the app is becomes known by what it gets first.
  const later = pieces.slice(pieces.length / 4)
  for (const { client, turn } of later) inTurn.set(`${client} ${turn}`, (inTurn.get(`${client} ${turn}`) ?? 0) + 1)
  // The bytes that are read again arrive before the next connection has its turn.
  t.ok(Math.max(...inTurn.values()) <= 2, 'at most one that goes on, and one that was read meanwhile')
  const lastOfOne = pieces.findLastIndex(({ client }) => client === 'one')
  t.ok(pieces.slice(lastOfOne).length > pieces.length / 2, 'a client with one connection is through before')
})

/** A connection whose bytes are heard at once. */
async function flowing(onData: (chunk: Buffer) => void): Promise<Duplex> {
  const socket = new Duplex({ read: () => undefined, write: () => undefined })
  new PacedReads().pace(socket, 'one')
  socket.on('data', onData)
  await turn()
  return socket
}

void t.test('bytes that take the app no time are passed as they come', async t => {
  const got: number[] = []
  const socket = await flowing(chunk => got.push(chunk.length))
  for (let i = 0; i < 3; i += 1) t.equal(socket.push(Buffer.alloc(60_000)), true)
  t.strictSame(got, [60_000, 60_000, 60_000])
})

void t.test('nothing is passed on to a connection that was destroyed while it waited', async t => {
  let pieces = 0
  const socket = await flowing(() => {
    pieces += 1
    busyFor(2)
  })
  t.equal(socket.push(Buffer.alloc(10)), false)
  socket.push(Buffer.alloc(10))
  socket.destroy()
  await turn()
  t.equal(pieces, 1)
})

void t.test('the context in which an app keeps facts of one connection is not seen by another', async t => {
  const context = new AsyncLocalStorage<string>()
  const paced = new PacedReads()
  const seen: Array<string | undefined> = []
  const sockets = ['first', 'second'].map(name => {
    const socket = new Duplex({ read: () => undefined, write: () => undefined })
    paced.pace(socket, name)
    socket.on('data', () => {
      seen.push(context.getStore())
      context.enterWith(name)
      busyFor(2)
    })
    return socket
  })
  await turn()
  for (const socket of sockets) new AsyncResource('test').runInAsyncScope(() => socket.push(Buffer.alloc(2_000)))
  for (const socket of sockets) new AsyncResource('test').runInAsyncScope(() => socket.push(Buffer.alloc(2_000)))
  while (seen.length < 4) await turn()
  t.strictSame(new Set(seen), new Set([undefined]))
})
