import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { OutgoingMessage } from 'node:http'
import net from 'node:net'
import t from 'tap'
import { until, within } from '../helpers/deadline.js'
import { FakeTarget, RawTarget } from '../helpers/fake-target.js'
import { rawExchange, requestBytes, type RawConnection } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import {
  BINARY,
  CLOSE,
  echoWebSocket,
  frame,
  FrameReader,
  TEXT,
  UPGRADE_HEADERS,
  type Frame,
} from '../helpers/websocket.js'

const UPGRADE = requestBytes('GET /socket//a?b?c', UPGRADE_HEADERS)
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const SERVICE_RESTART = { opcode: CLOSE, payload: Buffer.from([0x03, 0xf4]) }

async function upgraded(running: RunningBalancer): Promise<RawConnection> {
  const client = await running.connect()
  const answer = await client.write(UPGRADE).response()
  if (answer.status !== 101) throw new Error(`answered ${answer.status}`)
  return client
}

/** Reads until there are `count` frames. */
async function frames(client: RawConnection, count: number): Promise<Frame[]> {
  const reader = new FrameReader()
  const read: Frame[] = []
  while (read.length < count) {
    const bytes = await client.bytes(1)
    if (bytes.length === 0) throw new Error(`ended after ${read.length} frames`)
    read.push(...reader.push(bytes))
  }
  return read
}

void t.test('frames pass in both directions, however their bytes are split', async t => {
  const target = await FakeTarget.start(t, 'a', undefined, { onUpgrade: echoWebSocket })
  const running = await RunningBalancer.start(t, [target])
  const client = await upgraded(running)
  const payloads = [0, 1, 125, 126, 1_000, 65_536].map(size => Buffer.alloc(size, `${size}`))
  const bytes = Buffer.concat(payloads.map(payload => frame(payload, { masked: true })))
  for (let offset = 0, step = 1; offset < bytes.length; offset += step, step = (step * 3) % 4_099) {
    client.write(bytes.subarray(offset, offset + step))
    await new Promise(resolve => setImmediate(resolve))
  }
  const echoed = Buffer.concat(payloads.map(payload => frame(payload)))
  t.ok((await client.bytes(echoed.length)).equals(echoed))
  client.write(frame(Buffer.from([0x03, 0xe8]), { opcode: CLOSE, masked: true }))
  t.same(await frames(client, 1), [{ opcode: CLOSE, payload: Buffer.from([0x03, 0xe8]) }])
  t.equal(await client.closed, 'end')
  client.end()
  await running.quiet()
})

void t.test('either side may send its first frames with the handshake', async t => {
  const seen: Buffer[] = []
  const raw = await RawTarget.start(t, 'raw', (socket, _head, rest) => {
    socket.on('data', chunk => seen.push(chunk))
    if (rest.length > 0) seen.push(rest)
    socket.write(SWITCH + frame('early', { opcode: TEXT }).toString('latin1'), 'latin1')
  })
  const running = await RunningBalancer.start(t, [raw])
  const client = await running.connect()
  const early = frame('mine', { opcode: TEXT, masked: true })
  client.write(UPGRADE + early.toString('latin1'))
  t.equal((await client.response()).status, 101)
  t.same(await frames(client, 1), [{ opcode: TEXT, payload: Buffer.from('early') }])
  await until(() => Buffer.concat(seen).equals(early), 'the client’s first frame')
})

void t.test('the target gets the handshake unchanged, with the headers of the edge', async t => {
  const target = await FakeTarget.start(t, 'a', undefined, {
    onUpgrade: (request, socket) => {
      t.equal(request.url, '/socket//a?b?c')
      t.match(request.headers, {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'x-forwarded-for': undefined,
        'x-outpost-client': /^key http \d+ 127\.0\.0\.1 127\.0\.0\.1$/,
      })
      t.notOk('x-named' in request.headers)
      echoWebSocket(request, socket, Buffer.alloc(0))
    },
  })
  const running = await RunningBalancer.start(t, [target], { identityKey: 'key' })
  const client = await running.connect()
  const headers = UPGRADE_HEADERS.with(0, 'Connection: keep-alive, X-Named, Upgrade')
  const forged = ['X-Named: 1', 'X-Forwarded-For: 203.0.113.9', 'X-Outpost-Client: https 203.0.113.9']
  const answer = await client.write(requestBytes('GET /socket//a?b?c', [...headers, ...forged])).response()
  t.equal(answer.status, 101)
  t.equal(answer.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  t.match(answer.headers['x-request-id'], /^[\da-f-]{36}$/)
})

void t.test('header bytes beyond ASCII are passed on unchanged by an upgrade and by a refusal', async t => {
  for (const head of [SWITCH, 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n']) {
    const raw = await RawTarget.start(t, 'raw', socket => {
      socket.write(head.replace('\r\n', '\r\nX-Name: caf\xe9\r\n'), 'latin1')
    })
    const running = await RunningBalancer.start(t, [raw])
    const client = await running.connect()
    const answer = await client.write(UPGRADE).response()
    t.equal(answer.headers['x-name'], 'caf\xe9', String(answer.status))
  }
})

void t.test('a handshake goes to another target when its connection is refused', async t => {
  const gone = await FakeTarget.start(t, 'gone')
  const good = await FakeTarget.start(t, 'good', undefined, { onUpgrade: echoWebSocket })
  const running = await RunningBalancer.start(t, [gone, good])
  await gone.kill()
  for (let i = 0; i < 3; i += 1) await upgraded(running)
  t.equal(running.states.get('gone'), 'unreachable')
  t.equal(running.balancer.ledger().upgraded, 3)
})

void t.test('a handshake is answered 502 when its target closes without an answer', async t => {
  for (const script of [
    (socket: net.Socket) => socket.destroy(),
    (socket: net.Socket) => socket.end('nonsense\r\n\r\n'),
  ]) {
    const raw = await RawTarget.start(t, 'raw', script)
    const running = await RunningBalancer.start(t, [raw])
    const client = await running.connect()
    t.match(await client.write(UPGRADE).response(), { status: 502, headers: { connection: 'close' } })
    t.equal(await client.closed, 'end')
    client.end()
    await running.quiet()
    t.equal(raw.heads.length, 1, 'a handshake is not sent twice')
  }
})

for (const allowHalfOpen of [true, false]) {
  const which = allowHalfOpen ? 'never ends' : 'ends with its client'
  void t.test(`a client that ends during its handshake leaves nothing open at a target that ${which}`, async t => {
    let accept = (): void => undefined
    let ended = false
    const slow = await RawTarget.start(
      t,
      'slow',
      socket => {
        socket.on('end', () => (ended = true)).resume()
        accept = () => void socket.write(SWITCH)
      },
      { allowHalfOpen },
    )
    const running = await RunningBalancer.start(t, [slow])
    const client = await running.connect()
    client.write(UPGRADE).end()
    await until(() => slow.heads.length === 1, 'the handshake to arrive')
    // The edge reads the end of the client before it passes the answer on.
    await rawExchange(running.port, requestBytes('GET http://other/'))
    accept()
    t.equal((await client.response()).status, 101)
    await until(() => ended, 'the target to learn of the end')
    await running.quiet()
  })
}

void t.test('a handshake without an answer is over when its client has left', async t => {
  const silent = await RawTarget.start(t, 'silent', () => undefined, { allowHalfOpen: true })
  const running = await RunningBalancer.start(t, [silent])
  const client = await running.connect()
  client.write(UPGRADE).end()
  t.equal(await client.closed, 'end')
  t.equal(client.unread.length, 0, 'no deadline has passed')
  await running.quiet()
})

void t.test('an upgraded connection is cut if one side never ends', async t => {
  const stubborn = await RawTarget.start(t, 'stubborn', socket => socket.write(SWITCH), { allowHalfOpen: true })
  const ending = await RawTarget.start(t, 'ending', socket => socket.end(SWITCH), { allowHalfOpen: true })
  const runnings = [await RunningBalancer.start(t, [stubborn]), await RunningBalancer.start(t, [ending])] as const
  const [leaving, staying] = [await upgraded(runnings[0]), await upgraded(runnings[1])]
  leaving.end()
  await within(leaving.closed, 'the connection whose client has ended to be closed')
  t.equal(await staying.closed, 'end')
  for (const { balancer } of runnings)
    await until(() => balancer.ledger().upgraded === 0, 'the connection to be closed at both ends')
})

void t.test('a drain closes a WebSocket at a frame boundary', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => {
    socket.write(SWITCH)
    raw.on('send', (bytes: Buffer) => socket.write(bytes))
  })
  const running = await RunningBalancer.start(t, [raw])
  const client = await upgraded(running)
  const [first, second] = [frame('a'.repeat(300)), frame('never seen')]
  raw.emit('send', first.subarray(0, 100))
  const half = await client.bytes(100)
  running.balancer.setTargets([{ ...raw.spec, draining: true }])
  t.equal(client.unread.length, 0, 'nothing in the middle of the frame')
  raw.emit('send', Buffer.concat([first.subarray(100), second]))
  const rest = await client.rest()
  t.same(new FrameReader().push(Buffer.concat([half, rest])), [
    { opcode: BINARY, payload: Buffer.from('a'.repeat(300)) },
    SERVICE_RESTART,
  ])
  client.end()
  await running.becomes('raw', 'draining')
  await until(() => running.drained.length === 1, 'the drain to be over')
})

void t.test('a target that never completes its frame delays the drain only briefly', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => socket.write(SWITCH + '\x82'))
  const running = await RunningBalancer.start(t, [raw])
  const client = await upgraded(running)
  await client.bytes(1)
  running.balancer.setTargets([{ ...raw.spec, draining: true }])
  await within(client.closed, 'the connection to be closed')
  client.destroy()
  await until(() => running.drained.length === 1, 'the drain to be over')
})

void t.test('a connection that is upgraded during a drain is closed', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => raw.once('accept', () => socket.write(SWITCH)))
  const running = await RunningBalancer.start(t, [raw])
  const client = await running.connect()
  client.write(UPGRADE)
  await until(() => raw.heads.length === 1, 'the handshake to arrive')
  running.balancer.setTargets([{ ...raw.spec, draining: true }])
  t.same(running.drained, [], 'a handshake is in flight')
  raw.emit('accept')
  t.equal((await client.response()).status, 101)
  t.same(await frames(client, 1), [SERVICE_RESTART])
  client.end()
  await until(() => running.drained.length === 1, 'the drain to be over')
})

void t.test('an upgrade to another protocol is passed on, and a drain ends it without a frame', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => {
    socket.write(SWITCH.replace('websocket', 'x'))
    socket.once('data', bytes => socket.write(bytes))
  })
  const running = await RunningBalancer.start(t, [raw])
  const client = await running.connect()
  const answer = await client.write(requestBytes('GET /x', ['Connection: Upgrade', 'Upgrade: X/2'])).response()
  t.match(answer, { status: 101, headers: { upgrade: 'x' } })
  t.match(raw.heads[0], /\r\nupgrade: X\/2\r\n/i)
  t.equal((await client.write('hello').bytes(5)).toString(), 'hello')
  running.balancer.setTargets([{ ...raw.spec, draining: true }])
  t.equal((await client.rest()).length, 0)
  client.end()
  await until(() => running.drained.length === 1, 'the drain to be over')
})

for (const offer of ['h2c', 'HTTP/2.0', 'x, h2c', 'TLS/1.3', 'h3']) {
  void t.test(`an upgrade to ${offer} is not offered to the target: the request is an ordinary one`, async t => {
    const target = await FakeTarget.start(t, 'a', (request, response) =>
      response.end(request.headers.upgrade ?? 'none'),
    )
    const running = await RunningBalancer.start(t, [target])
    const client = await running.connect()
    const bytes = requestBytes('GET /', ['Connection: Upgrade', `Upgrade: ${offer}`])
    t.match(await client.write(bytes).response(), { status: 200, body: Buffer.from('none') })
  })
}

void t.test('a slow reader at either end slows the other end down', async t => {
  const written = { target: 0 }
  const raw = await RawTarget.start(t, 'raw', socket => {
    socket.write(SWITCH)
    const chunk = frame(Buffer.alloc(60_000))
    const pump = (): void => {
      while (socket.write(chunk)) written.target += chunk.length
      written.target += chunk.length
    }
    socket.on('drain', pump)
    pump()
  })
  const running = await RunningBalancer.start(t, [raw])
  const client = await upgraded(running)
  client.socket.pause()
  let before = -1
  while (written.target !== before) {
    before = written.target
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  t.ok(written.target < 16_000_000, `${written.target} bytes were taken from the target`)
})

void t.test('a client may open another WebSocket over its limit only after one has closed', async t => {
  const target = await FakeTarget.start(t, 'a', undefined, { onUpgrade: echoWebSocket })
  const running = await RunningBalancer.start(t, [target], { maxUpgradedPerClient: 2 })
  const [first] = [await upgraded(running), await upgraded(running)]
  const third = await running.connect()
  const answer = await third.write(UPGRADE).response()
  t.equal(answer.status, 429)
  t.match(answer.body.toString(), '"code":"TOO_MANY_UPGRADES"')
  first.destroy()
  await until(() => running.balancer.connections === 1, 'the first and the refused connection to be closed')
  await upgraded(running)
})

void t.test('an upgraded connection does not keep the request that it began with', async t => {
  const target = await FakeTarget.start(t, 'a', undefined, { onUpgrade: echoWebSocket })
  const running = await RunningBalancer.start(t, [target], { healthIntervalMs: 60_000 })
  const sockets: net.Socket[] = []
  const note = (message: unknown): void => void sockets.push((message as { socket: net.Socket }).socket)
  subscribe('net.client.socket', note)
  t.teardown(() => unsubscribe('net.client.socket', note))
  await upgraded(running)
  t.equal(sockets.length, 2, 'the client’s socket, and the one to the target')
  for (const socket of sockets) {
    t.notOk(Reflect.ownKeys(socket).some(key => Reflect.get(socket, key) instanceof OutgoingMessage))
  }
})
