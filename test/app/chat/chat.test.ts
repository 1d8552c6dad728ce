import { EventEmitter } from 'node:events'
import type { Server } from 'socket.io'
import t from 'tap'
import { isDeeperThan, relayMessages } from '#src/app/chat/chat.js'

class FakeConnection extends EventEmitter {
  open = true

  constructor(readonly remoteAddress = '192.0.2.1') {
    super()
  }

  close(): void {
    this.open = false
  }
}

class FakeSocket extends EventEmitter {
  connected = true
  readonly request: { user?: string } = {}
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

type Middleware = (socket: FakeSocket, next: (error?: Error) => void) => void

class FakeServer extends EventEmitter {
  readonly said: unknown[] = []
  readonly lines = new Set<string>()
  readonly engine = Object.assign(new EventEmitter(), { clientsCount: 1 })
  readonly #middlewares: Middleware[] = []

  use(middleware: Middleware): void {
    this.#middlewares.push(middleware)
  }

  /** Lets a socket join. Returns the reason why it may not. */
  async join(socket: FakeSocket): Promise<string | undefined> {
    for (const middleware of this.#middlewares) {
      const error = await new Promise<Error | undefined>(resolve => middleware(socket, resolve))
      if (error !== undefined) return error.message
    }
    this.emit('connection', socket)
    return undefined
  }

  /** An open session that has joined no namespace. */
  connect(address?: string): FakeConnection {
    const conn = new FakeConnection(address)
    this.engine.emit('connection', conn)
    return conn
  }

  /** Nobody is in the rooms of lines. */
  except(room: string): this {
    this.lines.add(room)
    return this
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

void t.test('the messages of one address wait in one line, and those of another in another', t => {
  const { io, socket } = chat(true)
  socket.emit('message', 'one')
  for (const address of ['192.0.2.1', '192.0.2.2']) {
    const other = new FakeSocket(io.connect(address))
    io.emit('connection', other)
    other.emit('message', 'another')
  }
  t.strictSame([...io.lines], ['line of address 192.0.2.1', 'line of address 192.0.2.2'])
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

void t.test('all anonymous connections of one address share what they may send', t => {
  const { io } = chat(true)
  io.engine.clientsCount = 430
  for (let i = 0; i < 430; i += 1) {
    const socket = new FakeSocket(io.connect('192.0.2.7'))
    io.emit('connection', socket)
    for (let sent = 0; sent < 10; sent += 1) if (socket.connected) socket.emit('message', 'again')
  }
  t.ok(io.said.length <= 20_000 / 430, `${io.said.length} were passed on`)
  const other = new FakeSocket(io.connect('192.0.2.8'))
  io.emit('connection', other)
  other.emit('message', 'hello')
  t.equal(io.said.at(-1), 'hello', 'another address is heard')
  t.end()
})

void t.test('a user who is signed in has a budget beside that of the address', async t => {
  const io = new FakeServer()
  const userOf = async (request: object): Promise<string | undefined> => (request as { user?: string }).user
  relayMessages(io as unknown as Server, { limited: true, userOf, now: () => 0 })
  const [anonymous, user] = [new FakeSocket(io.connect()), new FakeSocket(io.connect())]
  user.request.user = 'ada'
  for (const socket of [anonymous, user]) t.equal(await io.join(socket), undefined)
  for (let i = 0; i < 500; i += 1) if (anonymous.connected) anonymous.emit('message', i)
  t.notOk(anonymous.connected)
  user.emit('message', 'still here')
  t.equal(io.said.at(-1), 'still here')
})

void t.test('with a sign-in required, nobody else may connect', async t => {
  const io = new FakeServer()
  const userOf = async (request: object): Promise<string | undefined> => (request as { user?: string }).user
  relayMessages(io as unknown as Server, { limited: false, signInRequired: true, userOf })
  const socket = new FakeSocket(io.connect())
  t.equal(await io.join(socket), 'UNAUTHENTICATED')
  socket.request.user = 'ada'
  t.equal(await io.join(socket), undefined)
})

void t.test('the depth of a message is counted without recursion', t => {
  t.notOk(isDeeperThan('x', 0))
  t.notOk(isDeeperThan([[1], { a: 1 }], 2))
  t.ok(isDeeperThan([[1], { a: [1] }], 2))
  t.ok(isDeeperThan(JSON.parse('['.repeat(5_000) + ']'.repeat(5_000)), 32))
  t.notOk(isDeeperThan(Buffer.alloc(1_000), 0), 'bytes are one value')
  t.end()
})
