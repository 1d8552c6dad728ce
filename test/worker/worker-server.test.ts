import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import express from 'express'
import t, { type Test } from 'tap'
import { WorkerServer, type EarlyHandler } from '#src/worker/worker-server.js'
import { until, within } from '../helpers/deadline.js'
import { FakeClock } from '../helpers/fake-clock.js'
import { socketPathFor } from '../helpers/fake-target.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'
import { acceptUpgrade, UPGRADE_HEADERS } from '../helpers/websocket.js'

/** A handler that owns all paths under `/own`. */
const door: EarlyHandler = {
  owns: ({ url }) => url?.startsWith('/own') === true,
  handleRequest: (_request, response) => void response.end('from the door'),
  handleUpgrade: (_request, socket) => void socket.end('HTTP/1.1 299 Door\r\nContent-Length: 0\r\n\r\n'),
}

const KEY = 'key-of-this-boot'

/** The headers that a balancer sends about the client. */
const envelope = (says = 'http 4711 192.0.2.1', key = KEY): string => `X-Outpost-Client: ${key} ${says}`

interface Running {
  app: http.Server
  server: WorkerServer
  path: string
  connect: () => Promise<RawConnection>
}

async function start(
  t: Test,
  listener: http.RequestListener = (_request, response) => void response.end('from the app'),
): Promise<Running> {
  const app = http.createServer(listener)
  const path = socketPathFor(t)
  const server = new WorkerServer(app, { socketPath: path, identityKey: KEY }, door)
  await server.start()
  t.teardown(() => {
    app.close()
    app.closeAllConnections()
  })
  const connect = async (): Promise<RawConnection> => {
    const client = await RawConnection.open(path)
    t.teardown(() => client.destroy())
    return client
  }
  return { app, server, path, connect }
}

async function bodyOf(path: string, line: string, headers: string[] = []): Promise<string> {
  return (await rawExchange(path, requestBytes(line, [envelope(), ...headers]))).body.toString()
}

void t.test('requests for realtime never reach the app, all others do', async t => {
  const { app, path } = await start(t)
  app.prependListener('request', ({ url }) => t.equal(url, '/page'))
  t.equal(await bodyOf(path, 'GET /own'), 'from the door')
  t.equal(await bodyOf(path, 'GET /page'), 'from the app')
})

void t.test('the app sees the client and not the envelope', async t => {
  const { path } = await start(t, ({ socket, headers }, response) => {
    response.end(JSON.stringify([socket.remoteAddress, headers['x-outpost-client']]))
  })
  t.equal(await bodyOf(path, 'GET /', []), '["192.0.2.1",null]')
})

void t.test('an answered request keeps its client, and cannot affect the next one of its connection', async t => {
  const answered: http.IncomingMessage[] = []
  const waiting: http.ServerResponse[] = []
  const { connect } = await start(t, (request, response) => {
    if (request.url === '/wait') return void waiting.push(response)
    answered.push(request)
    response.end(request.socket.remoteAddress)
  })
  const client = await connect()
  const askAs = async (address: string): Promise<string> =>
    (await client.write(requestBytes('GET /', [envelope(`https 7 ${address} 192.0.2.9`)])).response()).body.toString()
  t.equal(await askAs('192.0.2.1'), '192.0.2.1')
  t.equal(await askAs('192.0.2.1'), '192.0.2.1')
  t.equal(await askAs('127.0.0.1'), '127.0.0.1')
  t.equal(answered[0]?.socket.remoteAddress, '192.0.2.1', 'nor the one after that')
  const [, second] = answered as [http.IncomingMessage, http.IncomingMessage]
  const { remoteAddress, remotePort, remoteFamily, localAddress, localFamily } = second.socket
  t.match([remoteAddress, remotePort, remoteFamily], ['192.0.2.1', 7, 'IPv4'])
  t.match([localAddress, localFamily], ['192.0.2.9', 'IPv4'])
  t.equal((second.socket as { encrypted?: true }).encrypted, true)

  client.write(requestBytes('GET /wait', [envelope('http 7 192.0.2.3')]))
  await until(() => waiting.length === 1, 'the next request')
  t.equal(answered[2]?.socket.remoteAddress, '127.0.0.1')
  for (const request of answered) {
    t.ok(request.socket.destroyed)
    request.socket.setTimeout(1, () => t.fail('it timed out')).setNoDelay(true)
    request.socket.on('error', error => t.fail(error)).once('close', () => t.fail('it was closed'))
    request.socket.write('this must not go out')
    request.socket.end()
    request.socket.destroy()
    request.destroy()
  }
  t.equal(answered[1]?.socket.listenerCount('error'), 1, 'each has listeners of its own')
  waiting[0]?.end('served')
  t.equal((await client.response()).body.toString(), 'served')
})

void t.test('a health check is answered for an app without a path of its own, and reaches one that has it', async t => {
  for (const healthPath of [undefined, '/health']) {
    const heard: string[] = []
    const app = http.createServer(({ url = '' }, response) => {
      heard.push(url)
      response.writeHead(500).end()
    })
    const path = socketPathFor(t)
    const options = { socketPath: path, identityKey: KEY, config: { maxHeaderBytes: 16_384, healthPath } }
    await new WorkerServer(app, options, door).start()
    const { status } = await rawExchange(path, requestBytes('GET /health', [envelope('probe'), 'Connection: close']))
    t.equal(status, healthPath === undefined ? 204 : 500)
    t.strictSame(heard, healthPath === undefined ? [] : ['/health'])
    await rawExchange(path, requestBytes('GET /page', [envelope(), 'Connection: close']))
    t.equal(heard.at(-1), '/page', 'a request of a client reaches it')
    app.close()
  }
})

void t.test('a request without a valid envelope reaches neither the app nor realtime', async t => {
  const { app, path } = await start(t)
  for (const event of ['request', 'upgrade', 'connect', 'checkContinue', 'checkExpectation']) {
    app.prependListener(event, () => t.fail(`the app was given a ${event}`))
  }
  const says = 'http 0 127.0.0.1'
  for (const [what, headers] of Object.entries({
    nothing: [],
    'another key': [envelope(says, 'key-of-last-boot')],
    'a part of the key': [envelope(says, KEY.slice(0, -1))],
    'the key alone': [`X-Outpost-Client: ${KEY}`],
    'no address': [envelope('http 0')],
    'no protocol': [envelope('127.0.0.1')],
    'another protocol': [envelope('gopher 0 127.0.0.1')],
    twice: [envelope(), envelope()],
    'twice in another case': [envelope(), 'x-oUTPOST-cLIENT: x'],
    'the key in other letters': [envelope(says, KEY.toUpperCase())],
  })) {
    t.equal((await rawExchange(path, requestBytes('GET /', headers))).status, 403, what)
    t.equal((await rawExchange(path, requestBytes('GET /', [...headers, ...UPGRADE_HEADERS]))).status, 403, what)
    t.equal((await rawExchange(path, requestBytes('POST /', [...headers, 'Expect: x'], 'body'))).status, 403, what)
  }
  t.equal((await rawExchange(path, requestBytes('CONNECT a:1'))).status, 403)
})

void t.test('the app cannot see the key of the envelope', async t => {
  const { path } = await start(t, ({ headers, rawHeaders, headersDistinct }, response) => {
    response.end(JSON.stringify([headers, rawHeaders, headersDistinct]))
  })
  const headers = ['X-One: 1', envelope(), 'X-Two: 2', 'X-Two: 3']
  t.same(JSON.parse((await rawExchange(path, requestBytes('GET /', headers))).body.toString()), [
    { host: 'a.example', 'x-one': '1', 'x-two': '2, 3' },
    ['Host', 'a.example', 'X-One', '1', 'X-Two', '2', 'X-Two', '3'],
    { host: ['a.example'], 'x-one': ['1'], 'x-two': ['2', '3'] },
  ])
})

void t.test('a probe of the balancer comes from this machine', async t => {
  const { path } = await start(t, ({ socket }, response) => void response.end(socket.remoteAddress))
  t.equal((await rawExchange(path, requestBytes('GET /', [envelope('probe')]))).body.toString(), '127.0.0.1')
})

void t.test('the envelope is read after any number of headers', async t => {
  const { path } = await start(t, ({ socket }, response) => void response.end(socket.remoteAddress))
  const many = Array.from({ length: 3_000 }, (_, i) => `${i}: x`)
  t.equal((await rawExchange(path, requestBytes('GET /', [...many, envelope()]))).body.toString(), '192.0.2.1')
})

void t.test('a request that is as large as the edge lets it be reaches the app', async t => {
  const app = http.createServer(({ headers }, response) => void response.end(String(headers['x-long']?.length)))
  const path = socketPathFor(t)
  const options = { socketPath: path, identityKey: KEY, config: { maxHeaderBytes: 65_536, healthPath: undefined } }
  await new WorkerServer(app, options, door).start()
  const request = requestBytes('GET /', [envelope(), `X-Long: ${'x'.repeat(60_000)}`, 'Connection: close'])
  t.equal((await rawExchange(path, request)).body.toString(), '60000')
  app.close()
})

void t.test('requests and upgrades without an envelope are refused', async t => {
  const { app, server } = await start(t)
  const seen: unknown[] = []
  for (const event of ['request', 'upgrade']) {
    app.prependListener(event, ({ socket }: http.IncomingMessage) => seen.push([event, socket.remoteAddress]))
  }
  app.on('upgrade', (_request, socket: Duplex) => void socket.end('HTTP/1.1 299 App\r\n\r\n'))
  const client = { address: '192.0.2.9', port: 0, protocol: 'https' }
  const front = http.createServer((request, response) => server.handleRequest(request, response, client))
  front.on('upgrade', (request, socket: Duplex, head) => server.handleUpgrade(request, socket, head, client))
  const path = socketPathFor(t)
  await once(front.listen(path), 'listening')
  t.teardown(() => front.close().closeAllConnections())
  const forged = envelope('http 0 203.0.113.9')
  await rawExchange(path, requestBytes('GET /', [forged]))
  await rawExchange(path, requestBytes('GET /', [forged, ...UPGRADE_HEADERS]))
  t.strictSame(seen, [
    ['request', '192.0.2.9'],
    ['upgrade', '192.0.2.9'],
  ])
})

void t.test('an upgrade goes to realtime, to a listener of the app, or becomes a request', async t => {
  const { app, path } = await start(t)
  t.equal((await rawExchange(path, requestBytes('GET /own', [envelope(), ...UPGRADE_HEADERS]))).status, 299)
  const plain = await rawExchange(
    path,
    requestBytes('GET /page', [envelope(), 'X-Request-Id: r-1', ...UPGRADE_HEADERS]),
  )
  t.match(plain, {
    status: 200,
    headers: { connection: 'close', 'x-request-id': 'r-1' },
    body: Buffer.from('from the app'),
  })
  app.on('upgrade', (request, socket: Duplex) => {
    acceptUpgrade(request, socket)
    socket.end()
  })
  t.equal((await rawExchange(path, requestBytes('GET /page', [envelope(), ...UPGRADE_HEADERS]))).status, 101)
})

void t.test('only the app itself is handed messages that were made for Express', async t => {
  const { app, path } = await start(
    t,
    express().get('/page', (request, response) => void response.send(request.path)),
  )
  const seen: unknown[] = []
  app.on('upgrade', (request: http.IncomingMessage, socket: Duplex) => {
    // It could not be set if Express's getter of that name applied.
    Object.assign(request, { query: 'parsed' })
    seen.push(Object.getPrototypeOf(request) === http.IncomingMessage.prototype)
    acceptUpgrade(request, socket)
    socket.end()
  })
  t.equal(await bodyOf(path, 'GET /page'), '/page')
  t.equal((await rawExchange(path, requestBytes('GET /page', [envelope(), ...UPGRADE_HEADERS]))).status, 101)
  t.equal(await bodyOf(path, 'GET /own'), 'from the door')
  t.strictSame(seen, [true])
})

void t.test('the app gets plain messages once another listener was added', async t => {
  const { app, path } = await start(
    t,
    express().get('/page', (request, response) => void response.send(request.path)),
  )
  const seen: unknown[] = []
  app.prependListener('request', (request, response) => {
    seen.push(Object.getPrototypeOf(request) === http.IncomingMessage.prototype)
    seen.push(Object.getPrototypeOf(response) === http.ServerResponse.prototype)
  })
  t.equal(await bodyOf(path, 'GET /page'), '/page')
  t.strictSame(seen, [true, true])
})

void t.test('bytes that are not HTTP end only their connection', async t => {
  const { connect, path } = await start(t)
  await within((await connect()).write('nonsense\r\n\r\n').closed, 'the connection to be closed')
  t.equal(await bodyOf(path, 'GET /'), 'from the app')
})

void t.test(
  'an answer that comes before its request is over is not lost, though the app wants the connection closed',
  async t => {
    const { connect } = await start(t, (_request, response) => {
      response.writeHead(413, { Connection: 'close', 'Content-Length': 3 }).end('too')
    })
    const bytes = 8 * 1024 ** 2
    const client = await connect()
    client.write(requestBytes('POST /', [envelope(), `Content-Length: ${bytes}`]))
    const early = await client.response()
    t.match(early, { status: 413, headers: { connection: 'close' }, whole: true })
    await new Promise<void>((resolve, reject) => {
      client.socket.write(Buffer.alloc(bytes), error => (error ? reject(error) : resolve()))
    })
  },
)

void t.test('`start` fails on a taken socket and leaves a listening server alone', async t => {
  const { app, server, path } = await start(t)
  await server.start()
  t.equal(app.address(), path)
  await t.rejects(new WorkerServer(http.createServer(), { socketPath: path, identityKey: KEY }, door).start(), {
    code: 'EADDRINUSE',
  })
})

void t.test('a stop closes idle connections and lets requests in flight end', async t => {
  const { app, server, path, connect } = await start(t, (_request, response) => {
    app.once('release', () => response.end('at last'))
    app.emit('arrived')
  })
  const [busy, idle] = [await connect(), await connect()]
  t.equal((await idle.write(requestBytes('GET /own', [envelope()])).response()).status, 200)
  const arrived = once(app, 'arrived')
  busy.write(requestBytes('GET /', [envelope()]))
  await arrived
  const stopping = server.stop(60_000)
  await within(idle.closed, 'the idle one to be closed')
  await t.rejects(RawConnection.open(path))
  app.emit('release')
  t.equal((await busy.response()).body.toString(), 'at last')
  await within(stopping, 'the stop')
})

void t.test('a finished stop leaves no timer', async t => {
  const { server } = await start(t)
  const clock = new FakeClock(t)
  await server.stop(60_000)
  t.equal(clock.pending, 0)
})

void t.test('a stop cuts requests that have not ended by the deadline', async t => {
  const { app, server, connect } = await start(t, () => app.emit('arrived'))
  const client = await connect()
  const arrived = once(app, 'arrived')
  client.write(requestBytes('GET /', [envelope()]))
  await arrived
  const clock = new FakeClock(t)
  const stopping = server.stop(60_000)
  clock.advance(59_999)
  t.notOk(client.ended)
  clock.advance(1)
  await stopping
  await client.closed
})

void t.test('requests of clients are counted until their answers are over, and probes are not', async t => {
  const waiting: http.ServerResponse[] = []
  const { app, server, path, connect } = await start(t, ({ url }, response) => {
    if (url === '/slow') waiting.push(response)
    else response.end()
  })
  await rawExchange(path, requestBytes('GET /', [envelope('probe')]))
  t.strictSame(server.count.counts, { inFlight: 0, streaming: 0, upgraded: 0, requests: 0 })
  await bodyOf(path, 'GET /own')
  await bodyOf(path, 'POST /page', ['Expect: 100-continue', 'Content-Length: 0'])
  const [client, left] = [await connect(), await connect()]
  for (const each of [client, left]) {
    const arrived = once(app, 'request')
    each.write(requestBytes('GET /slow', [envelope()]))
    await within(arrived, 'the request')
  }
  t.strictSame(server.count.counts, { inFlight: 2, streaming: 0, upgraded: 0, requests: 4 })
  const closed = waiting.map(response => once(response, 'close'))
  waiting[0]?.end()
  left.destroy()
  await within(Promise.all(closed), 'the end of both answers')
  t.strictSame(server.count.counts, { inFlight: 0, streaming: 0, upgraded: 0, requests: 4 })
  await rawExchange(path, requestBytes('GET /own', [envelope(), ...UPGRADE_HEADERS]))
  await until(() => server.count.counts.upgraded === 0, 'the end of the connection')
  t.strictSame(server.count.counts, { inFlight: 0, streaming: 0, upgraded: 0, requests: 5 })
})

void t.test('a server that hides takes no new requests, and answers those that it has', async t => {
  let answer: () => void = () => undefined
  const { server, path, connect } = await start(t, ({ url }, response) => {
    if (url === '/slow') answer = () => response.end('slow')
    else response.end('quick')
  })
  const [idle, busy] = [await connect(), await connect()]
  await idle.write(requestBytes('GET /', [envelope()])).response()
  busy.write(requestBytes('GET /slow', [envelope()]))
  await until(() => server.count.counts.requests === 2, 'both requests')
  server.hide()
  await within(idle.closed, 'the end of the connection without a request')
  const [error] = (await once(net.connect(path), 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ENOENT')
  answer()
  t.equal((await busy.response()).body.toString(), 'slow')
})
