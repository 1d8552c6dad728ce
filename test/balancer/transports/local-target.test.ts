import { once } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import type { BalancerOptions, ClientIdentity, LocalApp } from '#balancer'
import { DETACHED } from '#balancer/contract/detached-response.js'
import { until, within } from '../../helpers/deadline.js'
import { FakeTarget } from '../../helpers/fake-target.js'
import { requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'
import { CLOSE, echoWebSocket, frame, FrameReader, TEXT, UPGRADE_HEADERS } from '../../helpers/websocket.js'

const GET = requestBytes('GET /page')

interface Call {
  request: IncomingMessage
  response: ServerResponse
  client: ClientIdentity
}

/** An app in the balancer's process that records its calls. */
class FakeApp implements LocalApp {
  readonly calls: Call[] = []
  readonly sockets: Duplex[] = []
  takesUpgrades = true

  constructor(private readonly handler: (request: IncomingMessage, response: ServerResponse) => void) {}

  handleRequest(request: IncomingMessage, response: ServerResponse, client: ClientIdentity): void {
    this.calls.push({ request, response, client })
    this.handler(request, response)
  }

  upgrades(): boolean {
    return this.takesUpgrades
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.sockets.push(socket)
    echoWebSocket(request, socket, head)
  }
}

async function withLocal(t: Test, app: FakeApp, options: Partial<BalancerOptions> = {}): Promise<RunningBalancer> {
  const running = await RunningBalancer.start(t, [], options)
  running.balancer.setLocal('self', app)
  return running
}

const echo = (request: IncomingMessage, response: ServerResponse): void => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.once('end', () => response.end(Buffer.concat(chunks)))
}

void t.test('a request to a local app is a function call', async t => {
  const app = new FakeApp((_request, response) => response.end('here'))
  const running = await withLocal(t, app)
  const client = await running.connect()
  const forged = ['X-Forwarded-For: 203.0.113.9', 'X-Outpost-Client: https 203.0.113.9', 'Forwarded: for=203.0.113.9']
  const answer = await client.write(requestBytes('GET /page', forged)).response()
  t.match(answer, { status: 200, body: Buffer.from('here') })
  t.match(answer.headers['x-request-id'], /^[\da-f-]{36}$/)
  const { request, client: identity } = app.calls[0]!
  t.match(identity, { address: '127.0.0.1', port: client.socket.localPort, protocol: 'http' })
  t.equal(request.headers['x-forwarded-for'], undefined)
  t.equal(request.headers['x-request-id'], answer.headers['x-request-id'])
  t.notOk('x-outpost-client' in request.headers)
  t.notOk('forwarded' in request.headers)
  t.same(request.headersDistinct, { host: ['a.example'] })
  await running.quiet(1)
})

void t.test('a local app gets messages of the classes that it asked for', async t => {
  class OwnRequest extends IncomingMessage {}
  class OwnResponse<Request extends IncomingMessage> extends ServerResponse<Request> {}
  const app = new FakeApp((_request, response) => response.end())
  const running = await withLocal(t, app, { messages: { IncomingMessage: OwnRequest, ServerResponse: OwnResponse } })
  await (await running.connect()).write(GET).response()
  t.ok(app.calls[0]!.request instanceof OwnRequest)
  t.ok(app.calls[0]!.response instanceof OwnResponse)
})

void t.test('each request on a connection of a trusted proxy has its own client', async t => {
  const app = new FakeApp((request, response) => {
    const { client } = app.calls.at(-1)!
    // A worker does this, so that `req.ip` is the client's.
    Object.defineProperty(request.socket, 'remoteAddress', { configurable: true, get: () => client.address })
    response.end()
  })
  const running = await withLocal(t, app, { trustProxy: 1 })
  const proxy = await running.connect()
  await proxy.write(requestBytes('GET /', ['X-Forwarded-For: 203.0.113.9'])).response()
  await proxy.write(requestBytes('GET /', ['X-Forwarded-For: 203.0.113.8'])).response()
  await proxy.write(requestBytes('GET /')).response()
  t.same(
    app.calls.map(({ client }) => client.forwardedFor),
    ['203.0.113.9', '203.0.113.8', '127.0.0.1'],
  )
  await running.quiet(1)
})

void t.test('a local app can read a body that was held, streamed or continued', async t => {
  const app = new FakeApp(echo)
  const running = await withLocal(t, app)
  const client = await running.connect()
  t.equal((await client.write(requestBytes('POST /', [], 'streamed')).response()).body.toString(), 'streamed')
  t.equal(
    (await client.write(requestBytes('POST /', ['Idempotency-Key: 1'], 'held')).response()).body.toString(),
    'held',
  )
  t.equal((await client.write(requestBytes('OPTIONS /', [], 'held too')).response()).body.toString(), 'held too')
  t.equal(app.calls[2]?.request.method, 'OPTIONS')
  client.write(requestBytes('POST /', ['Expect: 100-continue', 'Content-Length: 6']))
  t.equal((await client.response()).status, 100)
  t.equal((await client.write('waited').response()).body.toString(), 'waited')
  await running.quiet(1)
})

void t.test('a request that a local app does not answer in time is answered 504', async t => {
  let detached = 0
  const app = new FakeApp((_request, response) => response.once(DETACHED, () => (detached += 1)))
  const running = await withLocal(t, app, { upstreamTimeoutMs: 100 })
  const client = await running.connect()
  const answer = await client.write(GET).response()
  t.match(answer, { status: 504, headers: { connection: 'close' } })
  t.equal(await client.closed, 'end')
  t.equal(detached, 1, 'the end of the request is reported')
  const { response } = app.calls[0]!
  t.doesNotThrow(() => response.writeHead(200).end('too late'))
  await running.quiet()
})

void t.test('a local app may take its time once its answer has begun', async t => {
  const app = new FakeApp((_request, response) => {
    response.write('first ')
    setTimeout(() => response.end('last'), 200)
  })
  const running = await withLocal(t, app, { upstreamTimeoutMs: 50 })
  const client = await running.connect()
  t.equal((await client.write(GET).response()).body.toString(), 'first last')
})

void t.test('an upload to a local app may take longer than the limit for its answer', async t => {
  const app = new FakeApp(echo)
  const limits = { upstreamTimeoutMs: 250, bodyIdleMs: 250, minBytesPerSecond: 0 }
  const running = await withLocal(t, app, limits)
  const client = await running.connect()
  client.write(requestBytes('POST /', ['Content-Length: 10']))
  for (let i = 0; i < 10; i += 1) {
    client.write('x')
    await new Promise(resolve => setTimeout(resolve, 40))
  }
  t.equal((await client.response()).body.length, 10)
  client.write(requestBytes('POST /', ['Content-Length: 10']) + 'half')
  t.equal((await client.response()).status, 408, 'an upload that stands still is cut')
})

void t.test('a request that a local app neither reads nor answers is answered 504', async t => {
  const app = new FakeApp(() => undefined)
  const running = await withLocal(t, app, { upstreamTimeoutMs: 200, bodyIdleMs: 200 })
  for (const length of [3, 8_000_000]) {
    const client = await running.connect()
    client.socket.write(requestBytes('POST /', [`Content-Length: ${length}`]))
    client.socket.write(Buffer.alloc(length))
    t.equal((await client.response()).status, 504, `${length} bytes`)
    client.destroy()
  }
  await running.quiet()
})

void t.test('pipelined requests to a hung local app end with the first one', async t => {
  const app = new FakeApp(() => undefined)
  const running = await withLocal(t, app, { upstreamTimeoutMs: 100 })
  const client = await running.connect()
  client.write(GET + GET + GET)
  t.equal((await client.response()).status, 504)
  await within(client.closed, 'the connection to be closed')
  await running.quiet()
  t.equal(app.calls.length, 1, 'the other requests have not begun')
})

void t.test('repeatable requests of a dropped local app go to a sibling', async t => {
  const app = new FakeApp(() => undefined)
  const running = await withLocal(t, app)
  const sibling = await FakeTarget.start(t, 'sibling')
  running.balancer.setTargets([{ id: 'self', socketPath: '', draining: false }, sibling.spec])
  await running.becomes('sibling', 'ready')
  const get = await running.connect()
  const keyed = await running.connect()
  const post = await running.connect()
  get.write(GET)
  keyed.write(requestBytes('POST /', ['Idempotency-Key: 1'], 'held'))
  post.write(requestBytes('POST /', [], 'plain'))
  await until(() => app.calls.length === 3, 'three calls')
  running.balancer.dropLocal(60_000)
  for (const client of [get, keyed]) {
    const answer = await client.response()
    t.match(answer, { status: 200, headers: { 'x-target': 'sibling', connection: 'close' } })
    t.equal(await client.closed, 'end')
  }
  t.same(sibling.requests.map(({ method, body }) => `${method} ${body.toString()}`).sort(), ['GET ', 'POST held'])
  const plain = app.calls.find(
    ({ request }) => request.method === 'POST' && request.headers['idempotency-key'] === undefined,
  )!
  plain.response.end('done after all')
  t.equal((await post.response()).body.toString(), 'done after all')
  for (const { response } of app.calls) if (response !== plain.response) t.doesNotThrow(() => response.end('too late'))
  await running.quiet(1)
})

void t.test('a local app may take over requests of a dropped one', async t => {
  const running = await withLocal(t, new FakeApp(() => undefined))
  const client = await running.connect()
  client.write(GET)
  await until(() => running.balancer.ledger().inFlight === 1, 'the request to arrive')
  running.balancer.dropLocal(60_000)
  t.equal(running.balancer.ledger().waiting, 1)
  running.balancer.setLocal('next', new FakeApp((_request, response) => response.end('taken over')))
  t.equal((await client.response()).body.toString(), 'taken over')
  await running.quiet()
})

void t.test('a pipelined request behind one that is answered elsewhere does not begin', async t => {
  const app = new FakeApp(() => undefined)
  const running = await withLocal(t, app)
  const sibling = await FakeTarget.start(t, 'sibling')
  running.balancer.setTargets([{ id: 'self', socketPath: '', draining: false }, sibling.spec])
  await running.becomes('sibling', 'ready')
  const client = await running.connect()
  client.write(requestBytes('GET /first') + requestBytes('GET /second'))
  await until(() => app.calls.length === 1, 'the first call')
  running.balancer.dropLocal(60_000)
  t.match(await client.response(), { status: 200, headers: { connection: 'close' } })
  t.equal(await client.closed, 'end')
  t.same(
    sibling.requests.map(({ url }) => url),
    ['/first'],
  )
  await running.quiet()
})

void t.test('an answer that a local app has ended is sent completely during a stop', async t => {
  const bytes = 16 * 1024 ** 2
  const app = new FakeApp((_request, response) => void response.end(Buffer.alloc(bytes)))
  const running = await withLocal(t, app)
  const client = await running.connect()
  client.socket.pause()
  client.write(GET)
  await until(() => app.calls.length === 1, 'the call')
  const stopped = running.balancer.stop(60_000)
  client.socket.resume()
  const { body, whole } = await client.response()
  t.ok(whole)
  t.equal(body.length, bytes)
  client.destroy()
  await within(stopped, 'the stop')
})

void t.test('requests that a dropped local app does not finish are cut', async t => {
  const app = new FakeApp((request, response) => {
    if (request.url === '/begun') response.write('begun')
  })
  const running = await withLocal(t, app)
  const [post, download] = [await running.connect(), await running.connect()]
  post.write(requestBytes('POST /'))
  download.write(requestBytes('GET /begun'))
  await until(() => app.calls.length === 2, 'the calls')
  running.balancer.dropLocal(0)
  t.match(await post.response(), { status: 502, headers: { connection: 'close' } })
  t.equal(await post.closed, 'end')
  await within(download.closed, 'the download to be cut')
  await running.quiet()
})

for (const [count, reason] of [
  [1, 'the only request is the reason'],
  [2, 'none of two requests is known to be the reason'],
] as const) {
  void t.test(`requests at a local app that ends the process are answered, and ${reason}`, async t => {
    const app = new FakeApp(() => undefined)
    const running = await withLocal(t, app)
    const clients = await Promise.all(Array.from({ length: count }, () => running.connect()))
    for (const client of clients) client.write(GET)
    await until(() => app.calls.length === count, 'the calls')
    running.balancer.abandon()
    for (const client of clients) t.match(await client.response(), { status: 502, headers: { connection: 'close' } })
    t.strictSame(running.fatal, count === 1 ? [{ method: 'GET', path: '/page', targets: 1 }] : [])
    t.strictSame(running.explained, count === 1 ? ['self'] : [])
    await running.quiet()
  })
}

void t.test('requests avoid an unhealthy local app', async t => {
  const socket = await FakeTarget.start(t, 'socket')
  const sibling = await FakeTarget.start(t, 'sibling')
  const running = await RunningBalancer.start(t, [], { healthIntervalMs: 5 })
  running.balancer.setLocal('self', new FakeApp((_request, response) => response.end('here')), socket.socketPath)
  running.balancer.setTargets([{ ...socket.spec, id: 'self' }, sibling.spec])
  await running.becomes('sibling', 'ready')
  const client = await running.connect()
  t.equal((await client.write(GET).response()).body.toString(), 'here')
  socket.healthy = false
  await running.becomes('self', 'unhealthy')
  t.equal((await client.write(GET).response()).headers['x-target'], 'sibling')
  socket.healthy = true
  await running.becomes('self', 'ready')
  t.equal((await client.write(GET).response()).body.toString(), 'here')
})

void t.test('a list of targets that was written before the local app was ready does not remove it', async t => {
  const running = await withLocal(t, new FakeApp((_request, response) => response.end('here')))
  const sibling = await FakeTarget.start(t, 'sibling')
  running.balancer.setTargets([sibling.spec])
  await running.becomes('sibling', 'ready')
  const client = await running.connect()
  t.equal((await client.write(GET).response()).body.toString(), 'here')
  const drained = once(running, 'drained')
  running.balancer.setTargets([{ id: 'self', socketPath: '', draining: true }, sibling.spec])
  t.strictSame(await drained, ['self'])
})

void t.test('requests avoid a draining local app', async t => {
  const app = new FakeApp((_request, response) => response.end('here'))
  const running = await withLocal(t, app)
  const sibling = await FakeTarget.start(t, 'sibling')
  const self = { id: 'self', socketPath: '', draining: false }
  running.balancer.setTargets([self, sibling.spec])
  await running.becomes('sibling', 'ready')
  const client = await running.connect()
  t.equal((await client.write(GET).response()).body.toString(), 'here')
  const drained = once(running, 'drained')
  running.balancer.setTargets([{ ...self, draining: true }, sibling.spec])
  await drained
  t.equal((await client.write(GET).response()).headers['x-target'], 'sibling')
})

void t.test('a request to a local app ends when its client leaves', async t => {
  const app = new FakeApp(() => undefined)
  const running = await withLocal(t, app)
  const client = await running.connect()
  client.write(GET + GET)
  await until(() => app.calls.length === 1, 'the call')
  t.same(running.balancer.ledger(), { inFlight: 1, upgraded: 0, waiting: 1 })
  client.reset()
  await running.quiet()
})

void t.test('a client that ends while its handshake waits leaves nothing open at a local app', async t => {
  const app = new FakeApp(() => undefined)
  const running = await RunningBalancer.start(t, [], { maxInFlight: 1, overloadWaitMs: 10_000 })
  running.balancer.setLocal('a', app)
  const busy = await running.connect()
  busy.write(GET)
  await until(() => app.calls.length === 1, 'the request to arrive')
  const client = await running.connect()
  client.write(requestBytes('GET /', UPGRADE_HEADERS)).end()
  await until(() => running.balancer.ledger().waiting === 1, 'the handshake to wait')
  // The edge reads the end of the client meanwhile.
  t.equal((await (await running.connect()).write(requestBytes('GET http://other/')).response()).status, 400)
  app.calls[0]?.response.end('served')
  t.equal((await busy.response()).status, 200)
  await until(() => app.sockets.length === 1, 'the handshake to be handed over')
  await running.quiet(1)
})

void t.test('an upgraded connection that a local app ends without reading is closed', async t => {
  const app = new FakeApp(() => undefined)
  app.handleUpgrade = (_request, socket) => void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
  const running = await RunningBalancer.start(t)
  running.balancer.setLocal('a', app)
  const client = await running.connect()
  client.write(requestBytes('GET /', UPGRADE_HEADERS) + 'x'.repeat(1_000))
  t.equal((await client.response()).status, 403)
  await running.quiet()
})

void t.test('an upgrade that a local app declines is handled and counted as a request', async t => {
  const app = new FakeApp((_request, response) => {
    response.write('begun ')
    app.calls[0]!.request.socket.once('release', () => response.end('ended'))
  })
  app.takesUpgrades = false
  const running = await withLocal(t, app)
  const client = await running.connect()
  client.write(requestBytes('GET /page', UPGRADE_HEADERS))
  await until(() => client.unread.includes('begun'), 'the answer to begin')
  t.same(running.balancer.ledger(), { inFlight: 1, upgraded: 0, waiting: 0 })
  running.balancer.setTargets([{ id: 'self', socketPath: '', draining: true }])
  app.calls[0]!.request.socket.emit('release')
  t.match(await client.response(), { status: 200, body: Buffer.from('begun ended') })
  t.same(running.drained, ['self'])
  t.equal(app.sockets.length, 0)
})

void t.test('a body over the held limit flows to a local app that only listens', async t => {
  const app = new FakeApp((request, response) => {
    let bytes = 0
    // Body parsers do this: they call neither `pipe` nor `resume`.
    request.on('data', (chunk: Buffer) => (bytes += chunk.length))
    request.on('end', () => response.end(String(bytes)))
  })
  const running = await withLocal(t, app, { heldBodyBytes: 100 })
  const client = await running.connect()
  const chunk = `${(64).toString(16)}\r\n${'x'.repeat(64)}\r\n`
  client.write(requestBytes('POST /', ['Idempotency-Key: 1', 'Transfer-Encoding: chunked']))
  client.write(`${chunk.repeat(4)}0\r\n\r\n`)
  t.equal((await client.response()).body.toString(), '256')
})

void t.test('a WebSocket belongs to the local app and is closed by a drain with 1012', async t => {
  const app = new FakeApp(() => undefined)
  const running = await withLocal(t, app)
  const client = await running.connect()
  client.write(requestBytes('GET /socket', UPGRADE_HEADERS))
  t.equal((await client.response()).status, 101)
  const hello = frame('hello', { opcode: TEXT })
  client.write(frame('hello', { opcode: TEXT, masked: true }))
  t.same(await client.bytes(hello.length), hello)
  t.equal(running.balancer.ledger().upgraded, 1)
  const errors: unknown[] = []
  app.sockets[0]!.on('error', error => errors.push(error))
  running.balancer.setTargets([{ id: 'self', socketPath: '', draining: true }])
  running.balancer.setTargets([])
  const closing = running.balancer.stop(5_000)
  const frames = new FrameReader().push(await client.bytes(4))
  t.same(frames, [{ opcode: CLOSE, payload: Buffer.from([0x03, 0xf4]) }])
  t.equal(await client.closed, 'end')
  client.write(frame(Buffer.from([0x03, 0xf4]), { opcode: CLOSE, masked: true })).end()
  await closing
  t.same(errors, [])
})

void t.test('a local app that answers within its call can be overloaded', async t => {
  const app = new FakeApp((request, response) => {
    const until = performance.now() + (request.method === 'GET' ? 20 : 0)
    while (performance.now() < until);
    response.end()
  })
  const running = await withLocal(t, app, { maxInFlight: 1, overloadWaitMs: 50 })
  const clients = await Promise.all(Array.from({ length: 20 }, () => running.connect()))
  for (const client of clients) await client.write(requestBytes('DELETE /page')).response()
  app.calls.length = 0
  for (const client of clients) client.write(GET)
  const statuses = await Promise.all(clients.map(async client => (await client.response()).status))
  t.ok(statuses.includes(200))
  t.ok(statuses.includes(503), 'some requests wait for longer than they may')
  t.equal(app.calls.length, statuses.filter(status => status === 200).length)
  await running.quiet(clients.length)
})

void t.test('connections with bodies that a local app leaves unread are closed', async t => {
  const app = new FakeApp((request, response) => {
    request.once('data', () => {
      request.pause()
      response.end('answered')
    })
  })
  const running = await withLocal(t, app)
  const { balancer } = running
  const client = await running.connect()
  const body = Buffer.alloc(1_000_000)
  client.write(requestBytes('POST /', [`Content-Length: ${body.length}`])).write(body)
  t.match(await client.response(), { status: 200 })
  t.equal(balancer.connections, 1)
  await until(() => {
    balancer.closeUnread()
    return balancer.connections === 0
  }, 'the end of the connection')
})
