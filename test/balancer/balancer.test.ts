import net, { type AddressInfo } from 'node:net'
import t from 'tap'
import { Balancer, balancerErrors } from '#balancer'
import { until, within } from '../helpers/deadline.js'
import { FakeTarget, RawTarget, socketPathFor } from '../helpers/fake-target.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { echoWebSocket, UPGRADE_HEADERS } from '../helpers/websocket.js'

const GET = requestBytes('GET /page')

void t.test('a balancer listens on a path as well as on a port', async t => {
  const balancer = new Balancer({ holdMs: 10 })
  const path = socketPathFor(t)
  await balancer.listen({ path })
  t.equal((await rawExchange(path, GET)).status, 503)
  await balancer.stop(100)
})

void t.test('a balancer listens on a handle that was bound elsewhere', async t => {
  const owner = net.createServer()
  await new Promise<void>(resolve => owner.listen(0, '127.0.0.1', resolve))
  const { port } = owner.address() as AddressInfo
  const balancer = new Balancer({ holdMs: 10 })
  await balancer.listen(owner)
  t.equal((await rawExchange(port, GET)).status, 503)
  await balancer.stop(100)
  owner.close()
})

void t.test('`listen` rejects when the port is taken', async t => {
  const running = await RunningBalancer.start(t)
  const second = new Balancer()
  await t.rejects(second.listen({ port: running.port, host: '127.0.0.1' }), { code: 'EADDRINUSE' })
  await second.stop(0)
})

void t.test('a stop lets requests in flight end and takes no new connections', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    target.server.once('release', () => response.end('served'))
  })
  const running = await RunningBalancer.start(t, [target])
  const [busy, idle] = [await running.connect(), await running.connect()]
  busy.write(GET)
  await until(() => target.requests.length === 1, 'the request to arrive')
  const stopped = running.balancer.stop(5_000)
  t.equal(running.balancer.stop(0), stopped, 'a second call returns the same promise')
  t.equal(await idle.closed, 'end')
  await t.rejects(RawConnection.open(running.port), { code: 'ECONNREFUSED' })
  target.server.emit('release')
  t.match(await busy.response(), { status: 200, headers: { connection: 'close' } })
  await stopped
  await until(() => target.open === 0, 'the connections to the target to be closed')
})

void t.test('a balancer that accepts no more serves the connections that it has, idle ones too', async t => {
  const running = await RunningBalancer.start(t, [await FakeTarget.start(t, 'a')])
  const client = await running.connect()
  t.equal((await client.write(GET).response()).status, 200)
  running.balancer.stopListening()
  await t.rejects(RawConnection.open(running.port), { code: 'ECONNREFUSED' })
  t.equal((await client.write(GET).response()).status, 200)
})

void t.test('a stop closes a kept connection after an answer that had begun before', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.write('begun ')
    target.server.once('release', () => response.end('ended'))
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(GET)
  await until(() => client.unread.includes('begun'), 'the answer to begin')
  const stopped = running.balancer.stop(5_000)
  target.server.emit('release')
  t.equal((await client.response()).body.toString(), 'begun ended')
  t.equal(await client.closed, 'end')
  await within(stopped, 'the stop', 2_000)
})

void t.test('a stop cuts at its deadline what has not ended', async t => {
  const target = await FakeTarget.start(t, 'a', () => undefined, { onUpgrade: echoWebSocket })
  const raw = await RawTarget.start(t, 'raw', () => undefined)
  const running = await RunningBalancer.start(t, [raw])
  const handshake = await running.connect()
  handshake.write(requestBytes('GET /', UPGRADE_HEADERS))
  await until(() => raw.heads.length === 1, 'the handshake to arrive')
  running.balancer.setTargets([raw.spec, target.spec])
  await running.becomes('a', 'ready')
  running.balancer.setTargets([{ ...raw.spec, draining: true }, target.spec])
  const [request, upgraded] = [await running.connect(), await running.connect()]
  request.write(GET)
  t.equal((await upgraded.write(requestBytes('GET /', UPGRADE_HEADERS)).response()).status, 101)
  await until(() => target.requests.length === 1, 'the request to arrive')
  const begun = performance.now()
  await running.balancer.stop(200)
  t.ok(performance.now() - begun < 1_000)
  for (const client of [handshake, request, upgraded]) await within(client.closed, 'the connection to be closed')
  t.same(running.balancer.ledger(), { inFlight: 0, upgraded: 0, waiting: 0 })
})

void t.test('a stop gives up the requests that wait', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 60_000 })
  const client = await running.connect()
  client.write(GET)
  await until(() => running.balancer.ledger().waiting === 1, 'the request to wait')
  await running.balancer.stop(100)
  t.equal(running.balancer.ledger().waiting, 0)
  await client.closed
})

void t.test('after `closeAfterAnswers` each answer is the last on its connection', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  t.equal((await client.write(GET).response()).headers['connection'], 'keep-alive')
  running.balancer.closeAfterAnswers()
  t.equal((await client.write(GET).response()).headers['connection'], 'close')
  t.equal(await client.closed, 'end')
})

void t.test('connections beyond the share of `maxSockets` are answered 503 and closed when all are in use', async t => {
  const target = await FakeTarget.start(t, 'a', ({ url }, response) => {
    if (url === '/wait') target.server.once('release', () => response.end('released'))
    else response.end('a page')
  })
  const running = await RunningBalancer.start(t, [target], { maxSockets: 3 })
  const clients = [await running.connect(), await running.connect(), await running.connect()]
  for (const client of clients) client.write(requestBytes('GET /wait'))
  await until(() => target.requests.length === 3, 'all requests to arrive')
  const another = await running.connect()
  const refusal = await another.write(GET).response()
  t.match(refusal, { status: 503, headers: { connection: 'close', 'retry-after': '1' } })
  t.match(JSON.parse(refusal.body.toString()), { code: 'TOO_MANY_CONNECTIONS' })
  await within(another.closed, 'it to be closed')
  t.equal(target.requests.length, 3)
  target.server.emit('release')
  for (const client of clients) t.equal((await client.response()).status, 200)
  t.equal((await rawExchange(running.port, GET)).status, 200, 'an idle one gives way')
})

void t.test('overdue headers are answered 408, and so is a client that sends nothing', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { headersTimeoutMs: 100 })
  const [idle, half, mute] = [await running.connect(), await running.connect(), await running.connect()]
  idle.write(GET)
  half.write('GET / HTTP/1.1\r\nHost')
  t.equal((await idle.response()).status, 200)
  for (const client of [half, mute]) {
    const answer = await client.response()
    t.match(answer, { status: 408, headers: { connection: 'close' } })
    t.match(JSON.parse(answer.body.toString()), { code: 'REQUEST_TIMEOUT' })
    t.equal(await client.closed, 'end')
  }
  t.equal((await idle.write(GET).response()).status, 200, 'the limit does not apply between two requests')
  t.equal(target.requests.length, 2)
})

void t.test('a client that leaves in the middle of a header leaves nothing open', async t => {
  const running = await RunningBalancer.start(t)
  const client = await running.connect()
  client.write('GET / HTTP/1.1\r\nHost')
  await until(() => running.balancer.connections === 1, 'the connection to be there')
  client.destroy()
  await running.quiet()
})

void t.test('every error has a code, an error status and a sentence', t => {
  for (const [code, { status, detail }] of Object.entries(balancerErrors)) {
    t.match(code, /^[A-Z_]+$/)
    t.ok(status >= 400 && status < 600, code)
    t.match(detail, /^[A-Z].*\.$/)
  }
  t.end()
})

void t.test('setting the same targets again changes nothing', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const states: string[] = []
  running.on('state', (_id, state) => states.push(state))
  running.balancer.setTargets([target.spec])
  running.balancer.setTargets([target.spec])
  t.same(states, [])
  running.balancer.setTargets([])
  t.same(states, ['gone'])
})
