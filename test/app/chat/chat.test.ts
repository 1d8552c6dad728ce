import { EventEmitter } from 'node:events'
import type { Server } from 'socket.io'
import t from 'tap'
import { isDeeperThan, relayMessages } from '#src/app/chat/chat.js'

class FakeConnection extends EventEmitter {
  open = true

  close(): void {
    this.open = false
  }
}

class FakeSocket extends EventEmitter {
  connected = true
  readonly told: unknown[] = []

  constructor(readonly conn: FakeConnection) {
    super()
  }

  override emit(event: string, ...args: unknown[]): boolean {
    if (event === 'refused') this.told.push(args[0])
    return super.emit(event, ...args)
  }

  disconnect(): void {
    this.connected = false
  }
}

class FakeServer extends EventEmitter {
  readonly said: unknown[] = []
  readonly engine = new EventEmitter()

  /** An open session that has joined no namespace. */
  connect(): FakeConnection {
    const conn = new FakeConnection()
    this.engine.emit('connection', conn)
    return conn
  }

  override emit(event: string, ...args: unknown[]): boolean {
    if (event === 'message') this.said.push(args[0])
    return super.emit(event, ...args)
  }
}

function chat(limited: boolean, now = { ms: 0 }): { io: FakeServer; socket: FakeSocket; now: { ms: number } } {
  const io = new FakeServer()
  relayMessages(io as unknown as Server, { limited, now: () => now.ms })
  const socket = new FakeSocket(io.connect())
  io.emit('connection', socket)
  return { io, socket, now }
}

void t.test('a chat message reaches every client as it was sent', t => {
  const { io, socket } = chat(true)
  const messages = ['text', 1, null, undefined, { a: [1, { b: '✓' }] }, Buffer.from('bytes')]
  for (const message of messages) socket.emit('message', message)
  t.strictSame(io.said, messages)
  t.end()
})

void t.test('a requested acknowledgement says that the message was passed on', t => {
  const { io, socket } = chat(true)
  const answers: unknown[] = []
  socket.emit('message', 'hello', (answer: unknown) => answers.push(answer))
  t.strictSame(answers, [{ ok: true }])
  t.strictSame(io.said, ['hello'])
  t.end()
})

void t.test('a bad message ends the connection', t => {
  let nested: unknown = 'x'
  for (let i = 0; i < 100; i += 1) nested = [nested]
  const attachments = Array.from({ length: 8 }, () => Buffer.alloc(10_000))
  for (const message of [nested, () => undefined, attachments, { a: [attachments] }]) {
    const { io, socket } = chat(true)
    socket.emit('message', message)
    t.strictSame(io.said, [])
    t.strictSame(socket.told, [{ code: 'BAD_MESSAGE' }])
    t.notOk(socket.connected)
  }
  t.end()
})

void t.test('a client that sends too fast gets one refusal and is disconnected', t => {
  const { socket } = chat(true)
  for (let i = 0; i < 300; i += 1) socket.conn.emit('packet')
  t.strictSame(socket.told, [{ code: 'RATE_LIMITED' }])
  t.notOk(socket.connected)
  t.end()
})

void t.test('a client that rejoins on the same connection keeps its count', t => {
  const { io, socket } = chat(true)
  const { conn } = socket
  let last = socket
  for (let i = 0; i < 30; i += 1) {
    for (let sent = 0; sent < 10; sent += 1) conn.emit('packet')
    last.connected = false
    last = new FakeSocket(conn)
    io.emit('connection', last)
  }
  t.equal(conn.listenerCount('packet'), 1)
  t.notOk(conn.open)
  t.end()
})

void t.test('a client that never joins is counted, too', t => {
  const { io } = chat(true)
  const conn = io.connect()
  for (let i = 0; i < 200; i += 1) conn.emit('packet')
  t.ok(conn.open)
  conn.emit('packet')
  t.notOk(conn.open)
  t.end()
})

void t.test('a steady 50 a second is not too fast', t => {
  const { socket, now } = chat(true)
  for (let i = 0; i < 5_000; i += 1, now.ms += 20) socket.conn.emit('packet')
  t.ok(socket.connected)
  t.end()
})

void t.test('with rate limits off, a client may send at any rate', t => {
  const { socket } = chat(false)
  for (let i = 0; i < 5_000; i += 1) socket.conn.emit('packet')
  t.ok(socket.connected)
  t.end()
})

void t.test('the depth of a message is counted without recursion', t => {
  t.notOk(isDeeperThan('x', 0))
  t.notOk(isDeeperThan([[1], { a: 1 }], 2))
  t.ok(isDeeperThan([[1], { a: [1] }], 2))
  t.ok(isDeeperThan(JSON.parse('['.repeat(5_000) + ']'.repeat(5_000)), 32))
  t.notOk(isDeeperThan(Buffer.alloc(1_000), 0), 'bytes are one value')
  t.end()
})
