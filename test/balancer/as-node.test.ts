import type { IncomingMessage, ServerResponse } from 'node:http'
import t from 'tap'
import { until } from '../helpers/deadline.js'
import { FakeTarget, RawTarget } from '../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A balancer in front of one target that serves every request so. */
async function before(t: Parameters<typeof FakeTarget.start>[0], handler: Handler): Promise<RunningBalancer> {
  return RunningBalancer.start(t, [await FakeTarget.start(t, 'a', handler)])
}

void t.test('an answer that streams holds no place', async t => {
  const streams: ServerResponse[] = []
  const target = await FakeTarget.start(t, 'a', ({ url }, response) => {
    if (url !== '/events') return void response.end('good')
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    streams.push(response)
  })
  const running = await RunningBalancer.start(t, [target], { maxInFlight: 2 })
  for (let i = 0; i < 5; i += 1) {
    const client = await running.connect()
    client.write(requestBytes('GET /events'))
    await until(() => streams.length === i + 1, 'the stream to begin')
  }
  t.equal((await rawExchange(running.port, requestBytes('GET /'))).status, 200)
  t.equal(running.balancer.ledger().inFlight, 5, 'and is in flight all the same')
  running.balancer.setTargets([{ ...target.spec, draining: true }])
  t.strictSame(running.drained, [])
  for (const stream of streams) stream.end()
  await until(() => running.drained.length === 1, 'the drain to end with the last stream')
})

void t.test('103 and 102 are passed on, in their order', async t => {
  const running = await before(t, (_request, response) => {
    response.writeProcessing()
    response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    response.end('x')
  })
  const client = await running.connect()
  client.write(requestBytes('GET /'))
  t.equal((await client.response()).status, 102)
  t.match(await client.response(), { status: 103, headers: { link: '</a.css>; rel=preload' } })
  t.equal((await client.response()).status, 200)
})

void t.test('trailers of an answer are passed on, without those of a connection', async t => {
  const running = await before(t, (_request, response) => {
    response.setHeader('Trailer', 'X-Sum')
    response.write('a')
    response.addTrailers({ 'X-Sum': '1' })
    response.end()
  })
  const client = await running.connect()
  client.write(requestBytes('GET /', ['Connection: close']))
  await client.closed
  t.match(client.unread.toString('latin1'), /\r\nTrailer: X-Sum\r\n[^]*1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n$/)
})

void t.test('trailers of a request are passed on, without those of the edge', async t => {
  const running = await before(t, (request, response) => {
    request.resume().on('end', () => response.end(JSON.stringify([request.trailers, request.headers['trailer']])))
  })
  const client = await running.connect()
  const head = requestBytes('POST /', ['Transfer-Encoding: chunked', 'Trailer: X-Sum'])
  client.write(`${head}1\r\na\r\n0\r\nX-Sum: 1\r\nX-Real-IP: 203.0.113.9\r\n\r\n`)
  t.strictSame(JSON.parse((await client.response()).body.toString()), [{ 'x-sum': '1' }, 'X-Sum'])
})

void t.test('the app decides whether it wants a body', async t => {
  const target = await FakeTarget.start(t, 'a')
  target.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/no') response.writeHead(413).end()
    else {
      response.writeContinue()
      target.server.emit('request', request, response)
    }
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  const expecting = (path: string): Buffer =>
    Buffer.from(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`)
  client.write(expecting('/yes'))
  t.equal((await client.response()).status, 100)
  client.write('abc')
  t.equal((await client.response()).status, 200)
  client.write(expecting('/no'))
  t.match(await client.response(), { status: 413, headers: { connection: 'close' } })
})

void t.test('a 426 names the protocol that it asks for', async t => {
  const running = await before(t, (_request, response) => {
    response.writeHead(426, { upgrade: 'TLS/1.3', connection: 'upgrade' }).end()
  })
  t.match(await rawExchange(running.port, requestBytes('GET /')), { status: 426, headers: { upgrade: 'TLS/1.3' } })
})

void t.test('absolute targets and an asterisk arrive as they were sent', async t => {
  const running = await before(t, ({ url }, response) => void response.end(url))
  for (const [method, target] of [
    ['GET', 'http://a.example/b?c'],
    ['OPTIONS', '*'],
  ] as const) {
    const answer = await rawExchange(running.port, `${method} ${target} HTTP/1.1\r\nHost: a.example\r\n\r\n`)
    t.match(answer, { status: 200 })
    t.equal(answer.body.toString(), target)
  }
  for (const target of ['http://[::1', 'http://b.example/', 'http://a.example#x', '*']) {
    t.equal((await rawExchange(running.port, `GET ${target} HTTP/1.1\r\nHost: a.example\r\n\r\n`)).status, 400, target)
  }
})

void t.test(
  'header names keep their letters and their order, and repeated ones arrive as often as they were sent',
  async t => {
    const running = await before(t, ({ rawHeaders }, response) => void response.end(JSON.stringify(rawHeaders)))
    const headers = ['x-LETTERS: 1', 'Authorization: a', 'X-Letters: 2', 'AUTHORIZATION: b', 'CONTENT-Length: 0']
    for (const method of ['POST', 'DELETE', 'OPTIONS']) {
      const answer = await rawExchange(running.port, requestBytes(`${method} /`, headers))
      const raw = JSON.parse(answer.body.toString()) as string[]
      const sent = ['Host', 'a.example', 'x-LETTERS', '1', 'Authorization', 'a', 'X-Letters', '2', 'AUTHORIZATION', 'b']
      // The envelope comes first, and the number of the request and the edge's own Connection come last.
      t.strictSame(raw.slice(2, 2 + sent.length), sent, method)
      t.ok(raw.includes('CONTENT-Length'), method)
      t.strictSame(raw.filter(name => /^content-length$/i.test(name)).length, 1, method)
    }
  },
)

void t.test('a request without a body arrives without a length', async t => {
  const running = await before(t, ({ headers }, response) => void response.end(JSON.stringify(headers)))
  for (const method of ['DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'PROPFIND']) {
    const answer = await rawExchange(running.port, requestBytes(`${method} /`))
    t.notMatch(answer.body.toString(), /content-length|transfer-encoding/, method)
  }
})

void t.test('the app gets the first of two Content-Type headers', async t => {
  const running = await before(t, ({ headers }, response) => void response.end(headers['content-type']))
  const answer = await rawExchange(running.port, requestBytes('GET /', ['Content-Type: a/b', 'Content-Type: c/d']))
  t.equal(answer.body.toString(), 'a/b')
})

void t.test('answer headers of 60 kB are passed on', async t => {
  const running = await before(
    t,
    (_request, response) => void response.setHeader('X-Long', 'x'.repeat(60_000)).end('x'),
  )
  const answer = await rawExchange(running.port, requestBytes('GET /'))
  t.equal(answer.status, 200)
  t.equal(answer.headers['x-long']?.length, 60_000)
})

void t.test('a Content-Length in characters cuts the answer as long as it says', async t => {
  const target = await RawTarget.start(t, 'a', socket => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\näöü')
  })
  const running = await RunningBalancer.start(t, [target])
  for (const method of ['GET', 'POST']) {
    const answer = await rawExchange(running.port, requestBytes(`${method} /`))
    t.equal(answer.status, 200)
    t.equal(answer.body.length, 3)
  }
  t.equal(target.heads.length, 2, 'each was sent once')
})

void t.test('the first byte of a short answer goes out before the last is there', async t => {
  let finish: () => void = () => undefined
  const running = await before(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '2' }).write('a')
    finish = () => void response.end('b')
  })
  const client = await running.connect()
  client.write(requestBytes('GET /'))
  await until(() => client.unread.toString().endsWith('\r\n\r\na'), 'the first byte')
  finish()
  t.equal((await client.response()).body.toString(), 'ab')
  await running.quiet(1)
})

void t.test("the app's own X-Request-Id stays", async t => {
  const running = await before(t, (_request, response) => void response.setHeader('X-Request-Id', 'of-the-app').end())
  t.equal((await rawExchange(running.port, requestBytes('GET /'))).headers['x-request-id'], 'of-the-app')
})
