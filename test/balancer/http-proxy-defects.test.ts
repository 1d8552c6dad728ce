import { execFile } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { promisify } from 'node:util'
import t from 'tap'
import { until, within } from '../helpers/deadline.js'
import { FakeTarget, RawTarget } from '../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

// One test for every defect of http-proxy 1.18.1 that its user has to work around. Each fails with the bare library.

const GET = requestBytes('GET /page')
const UPGRADE = requestBytes('GET /socket', UPGRADE_HEADERS)

void t.test('a request target that url.parse rejects is answered 400, as a request and as an upgrade', async t => {
  const target = await FakeTarget.start(t, 'a', undefined, { onUpgrade: () => t.fail('an upgrade arrived') })
  const running = await RunningBalancer.start(t, [target])
  for (const headers of [[], UPGRADE_HEADERS]) {
    const answer = await rawExchange(running.port, requestBytes('GET http://[::1', headers))
    t.equal(answer.status, 400)
    t.match(answer.body.toString(), 'BAD_REQUEST_TARGET')
  }
  t.equal((await rawExchange(running.port, GET)).status, 200)
  t.equal(target.requests.length, 1)
})

for (const method of ['DELETE', 'OPTIONS']) {
  for (const extra of [[], ['Idempotency-Key: 1']]) {
    void t.test(`the body of a chunked ${method} is not taken for a request (${extra[0] ?? 'no key'})`, async t => {
      const target = await FakeTarget.start(t, 'a')
      const running = await RunningBalancer.start(t, [target])
      const hidden = requestBytes('GET /hidden')
      const client = await running.connect()
      client.write(requestBytes(`${method} /thing`, [...extra, 'Transfer-Encoding: chunked']))
      client.write(`${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`)
      t.equal((await client.response()).status, 200)
      t.equal((await client.write(GET).response()).status, 200)
      t.same(
        target.requests.map(({ method, url, body }) => [method, url, body.toString()]),
        [
          [method, '/thing', hidden],
          ['GET', '/page', ''],
        ],
      )
    })
  }
}

void t.test('a client that leaves before the 101 causes no uncaught error', async t => {
  const arrived: net.Socket[] = []
  const raw = await RawTarget.start(t, 'raw', socket => {
    arrived.push(socket)
    raw.emit('arrived')
  })
  const running = await RunningBalancer.start(t, [raw])
  const client = await running.connect()
  client.write(UPGRADE)
  await raw.next('arrived')
  client.reset()
  await within(once(arrived[0]!, 'close'), 'the connection to the target to be closed')
  await running.quiet()
})

void t.test('both ends of an upgraded connection close together', async t => {
  const ends: net.Socket[] = []
  const raw = await RawTarget.start(t, 'raw', socket => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    ends.push(socket)
  })
  const running = await RunningBalancer.start(t, [raw])
  const first = await running.connect()
  t.equal((await first.write(UPGRADE).response()).status, 101)
  const gone = once(ends[0]!, 'close')
  first.reset()
  await within(gone, 'the target’s end to be closed')
  const second = await running.connect()
  t.equal((await second.write(UPGRADE).response()).status, 101)
  ends[1]!.destroy()
  await within(second.closed, 'the client’s end to be closed')
  second.destroy()
  await running.quiet()
})

void t.test('a handshake without an answer is given up', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => socket.once('close', () => raw.emit('closed')))
  const running = await RunningBalancer.start(t, [raw], { upgradeTimeoutMs: 100 })
  const waiting = await running.connect()
  const closed = raw.next('closed')
  t.equal((await waiting.write(UPGRADE).response()).status, 504)
  await closed
  const leaving = await running.connect()
  const closedToo = raw.next('closed')
  leaving.write(UPGRADE).end()
  await closedToo
  await within(leaving.closed, 'the client’s connection to be closed')
  await running.quiet()
})

void t.test('an aborted client aborts the request at the target', async t => {
  const target = await FakeTarget.start(t, 'a', request => void request.resume())
  const running = await RunningBalancer.start(t, [target])
  for (const bytes of [
    GET,
    requestBytes('POST /form', [], 'a=b'),
    requestBytes('POST /form', ['Content-Length: 9']) + 'a',
  ]) {
    const before = target.requests.length
    const client = await running.connect()
    client.write(bytes)
    await until(() => target.requests.length > before, 'the request to arrive')
    client.reset()
    await until(() => target.requests[before]?.aborted === true, 'the request to be aborted')
  }
  await running.quiet()
  t.equal(target.open, 0)
})

for (const [framing, head] of [
  ['of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf'],
  ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
] as const) {
  void t.test(`the client’s connection is cut when the target dies in the middle of an answer ${framing}`, async t => {
    const raw = await RawTarget.start(t, 'raw', socket => {
      socket.write(head)
      raw.once('die', () => socket.destroy())
    })
    const running = await RunningBalancer.start(t, [raw])
    const client = await running.connect()
    client.write(GET)
    await until(() => client.unread.includes('half'), 'the first half')
    const died = performance.now()
    raw.emit('die')
    await client.closed
    t.ok(performance.now() - died < 500, 'at once')
    t.notOk((await client.response()).whole, 'the answer is visibly incomplete')
    await running.quiet()
  })
}

void t.test('a connection that breaks during a write is one failure with one answer', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => socket.destroy())
  const running = await RunningBalancer.start(t, [raw], { ejectAfter: 1_000 })
  for (let i = 0; i < 5; i += 1) {
    const client = await running.connect()
    client.write(requestBytes('POST /form', [], 'x'.repeat(2_000_000)))
    t.equal((await client.response()).status, 502)
    client.write(GET)
    t.equal((await client.response()).status, 502, 'the connection holds no second answer')
    t.equal(client.unread.length, 0)
  }
  await running.quiet(5)
})

void t.test('a request with Expect carries the headers of the edge, and the client gets 100 and 200', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(
    requestBytes('POST /form', ['Expect: 100-continue', 'X-Forwarded-For: 203.0.113.9', 'Content-Length: 3']),
  )
  t.equal((await client.response()).status, 100)
  t.equal((await client.write('abc').response()).status, 200)
  t.match(target.requests[0], { complete: true, headers: { 'x-forwarded-for': undefined, 'content-length': '3' } })
  t.equal(target.requests[0]?.headers.expect, '100-continue', 'the app decides')
})

void t.test('a refused upgrade is a complete answer', async t => {
  const answers = [
    'HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5\r\nwrong\r\n7\r\n origin\r\n0\r\n\r\n',
    'HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\nX-A: 1\r\n\r\nwrong origin',
  ]
  for (const bytes of answers) {
    const raw = await RawTarget.start(t, 'raw', socket => socket.write(bytes))
    const running = await RunningBalancer.start(t, [raw])
    const client = await running.connect()
    const answer = await client.write(UPGRADE).response()
    t.match(answer, { status: 403, whole: true, headers: { 'x-a': '1', connection: 'close' } })
    t.equal(answer.body.toString(), 'wrong origin')
    t.equal(answer.headers['transfer-encoding'], undefined)
    await running.quiet()
  }
})

void t.test('a refusal of an upgrade that breaks off is visibly incomplete', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => {
    socket.write('HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwrong\r\n')
    raw.once('die', () => socket.destroy())
  })
  const running = await RunningBalancer.start(t, [raw])
  const client = await running.connect()
  client.write(UPGRADE)
  await until(() => client.unread.includes('wrong'), 'the first half')
  raw.emit('die')
  t.equal(await client.closed, 'reset')
  await running.quiet()
})

void t.test('a stalled refusal of an upgrade is cut once the client has ended its side', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => {
    socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nwrong')
  })
  const running = await RunningBalancer.start(t, [raw], { upgradeTimeoutMs: 100 })
  const client = await running.connect()
  client.write(UPGRADE)
  await until(() => client.unread.includes('wrong'), 'the first half')
  client.end()
  t.equal(await client.closed, 'reset')
  await running.quiet()
})

void t.test('hop-by-hop headers are not forwarded in either direction', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.writeHead(200, {
      Connection: 'X-Private, keep-alive',
      'X-Private': '1',
      'Keep-Alive': 'timeout=99',
      'Proxy-Authenticate': 'Basic',
      'X-Public': '1',
      'Content-Length': 2,
    })
    response.end('ok')
  })
  const running = await RunningBalancer.start(t, [target])
  const headers = ['Connection: X-Named, keep-alive', 'X-Named: 1', 'Keep-Alive: 9', 'TE: trailers', 'X-Kept: 1']
  const answer = await rawExchange(running.port, requestBytes('GET /', [...headers, 'Proxy-Authorization: Basic eA==']))
  const seen = target.requests[0]!.headers
  for (const name of ['x-named', 'te', 'proxy-authorization']) t.notOk(name in seen, name)
  t.equal(seen['x-kept'], '1')
  t.equal(answer.headers['x-public'], '1')
  for (const name of ['x-private', 'proxy-authenticate']) t.notOk(name in answer.headers, name)
  t.not(answer.headers['keep-alive'], 'timeout=99')
})

void t.test('X-Forwarded-* headers of a client are dropped', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const forged = ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: evil.example']
  await rawExchange(
    running.port,
    requestBytes('GET /', [...forged, 'Forwarded: for=203.0.113.9', 'X-Real-IP: 203.0.113.9']),
  )
  t.match(target.requests[0]?.headers, {
    'x-forwarded-for': undefined,
    'x-forwarded-proto': undefined,
    'x-forwarded-host': undefined,
    'x-real-ip': undefined,
  })
  t.equal(target.requests[0]?.headers['forwarded'], undefined)
})

void t.test('connections to targets and clients are kept', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  for (let i = 0; i < 20; i += 1) {
    const answer = await client.write(GET).response()
    t.equal(answer.headers['connection'], 'keep-alive')
  }
  t.equal(target.connections, 1)
})

void t.test('a request times out at a silent target and is retried after a broken one', async t => {
  const silent = await RawTarget.start(t, 'silent', () => undefined)
  const running = await RunningBalancer.start(t, [silent], { upstreamTimeoutMs: 100 })
  t.equal((await rawExchange(running.port, GET)).status, 504)
  const broken = await RawTarget.start(t, 'broken', socket => socket.destroy())
  const good = await FakeTarget.start(t, 'good')
  const patient = await RunningBalancer.start(t, [broken, good])
  for (let i = 0; i < 4; i += 1) t.equal((await rawExchange(patient.port, GET)).status, 200)
})

void t.test('http-proxy causes no warning, and other warnings are not hidden', async t => {
  const target = await FakeTarget.start(t, 'a')
  const program = `
    import http from 'node:http'
    import util from 'node:util'
    import { Balancer } from '#balancer'
    const balancer = new Balancer({ joinIntervalMs: 5 }, { onTargetState: (_id, state) => state === 'ready' && ask() })
    await balancer.listen({ port: 0, host: '127.0.0.1' })
    balancer.setTargets([{ id: 'a', socketPath: process.argv[1], draining: false }])
    function ask() {
      http.get({ port: balancer.address().port, path: '/', agent: false }, answer => {
        console.log(answer.statusCode)
        answer.resume().once('end', () => balancer.stop(100))
        process.emitWarning('mine', 'DeprecationWarning', 'DEP0060')
      })
    }`
  const flags = ['--pending-deprecation', '--input-type=module', '-e', program, target.socketPath]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, flags, { env: {} })
  t.equal(stdout.trim(), '200')
  t.same(stderr.match(/\[DEP(0060|0169|0170)\].*/g), ['[DEP0060] DeprecationWarning: mine'])
})
