import t from 'tap'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { requestBytes, type RawConnection } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

const GET = requestBytes('GET /page')

async function waiting(running: RunningBalancer, count: number): Promise<void> {
  await until(() => running.balancer.ledger().waiting === count, `${count} to wait`)
}

async function tenWaiting(running: RunningBalancer): Promise<RawConnection[]> {
  const clients: RawConnection[] = []
  for (let i = 0; i < 10; i += 1) {
    const client = await running.connect()
    client.write(requestBytes(`GET /${i}`))
    await waiting(running, i + 1)
    clients.push(client)
  }
  return clients
}

void t.test('requests wait while no target is ready and are all served afterwards', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 5_000 })
  const clients = await tenWaiting(running)
  const target = await FakeTarget.start(t, 'a')
  await running.setTargets(target)
  for (const client of clients) t.equal((await client.response()).status, 200)
  t.same(new Set(target.requests.map(({ url }) => url)), new Set(Array.from({ length: 10 }, (_, i) => `/${i}`)))
  t.equal(target.requests.length, 10, 'once each')
  await running.quiet(10)
})

void t.test('requests that wait are served in order when there is room for one at a time', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 5_000, maxInFlight: 1 })
  const clients = await tenWaiting(running)
  const target = await FakeTarget.start(t, 'a')
  await running.setTargets(target)
  for (const client of clients) t.equal((await client.response()).status, 200)
  t.same(
    target.requests.map(({ url }) => url),
    Array.from({ length: 10 }, (_, i) => `/${i}`),
  )
})

void t.test('a streamed body waits with its request', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 5_000 })
  const client = await running.connect()
  const body = 'x'.repeat(1_000_000)
  client.write(requestBytes('POST /form', [], body))
  await waiting(running, 1)
  const target = await FakeTarget.start(t, 'a')
  await running.setTargets(target)
  t.equal((await client.response()).status, 200)
  t.equal(target.requests[0]?.body.length, body.length)
})

void t.test('100 Continue is sent once there is a target for the body', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 5_000 })
  const client = await running.connect()
  client.write(requestBytes('POST /form', ['Expect: 100-continue', 'Content-Length: 3']))
  await waiting(running, 1)
  t.equal(client.unread.length, 0)
  const target = await FakeTarget.start(t, 'a')
  await running.setTargets(target)
  t.equal((await client.response()).status, 100)
  t.equal((await client.write('abc').response()).status, 200)
  t.equal(target.requests[0]?.body.toString(), 'abc')
})

void t.test('100 Continue is not sent without a target, and the connection is closed', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 50 })
  const client = await running.connect()
  client.write(requestBytes('POST /form', ['Expect: 100-continue', 'Content-Length: 3']))
  t.match(await client.response(), { status: 503, headers: { connection: 'close' } })
  t.equal(await client.closed, 'end')
})

void t.test('a request that waits too long is answered 503 with Retry-After', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 100 })
  const client = await running.connect()
  const begun = performance.now()
  const answer = await client.write(GET).response()
  t.ok(performance.now() - begun >= 99)
  t.match(answer, { status: 503, headers: { 'retry-after': '1', 'content-type': 'application/problem+json' } })
  t.match(JSON.parse(answer.body.toString()), {
    status: 503,
    code: 'NO_TARGET_READY',
    requestId: answer.headers['x-request-id'],
  })
  await running.quiet(1)
})

void t.test('a request is refused at once when too many wait', async t => {
  const running = await RunningBalancer.start(t, [], { holdLimit: 2, holdMs: 60_000 })
  for (let i = 0; i < 2; i += 1) (await running.connect()).write(GET)
  await waiting(running, 2)
  const client = await running.connect()
  const answer = await client.write(GET).response()
  t.equal(answer.status, 503)
  t.match(answer.body.toString(), 'WAITING_ROOM_FULL')
  t.equal(answer.headers['retry-after'], '1')
  t.equal(running.balancer.ledger().waiting, 2)
})

void t.test('a request stops waiting when its client leaves', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 60_000 })
  const bytes = [GET, requestBytes('POST /', [], 'body'), requestBytes('GET /', UPGRADE_HEADERS)]
  for (const request of bytes) {
    const client = await running.connect()
    client.write(request)
    await waiting(running, 1)
    client.reset()
    await waiting(running, 0)
  }
  const target = await FakeTarget.start(t, 'a')
  await running.setTargets(target)
  t.equal(target.requests.length, 0)
  await running.quiet()
})

void t.test('a request waits a moment while all targets are full and is then answered 503', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    target.server.once('release', () => response.end('released'))
  })
  const running = await RunningBalancer.start(t, [target], { maxInFlight: 1, overloadWaitMs: 400 })
  const first = await running.connect()
  const second = await running.connect()
  first.write(GET)
  await until(() => target.requests.length === 1, 'the first request to arrive')
  const answer = await second.write(GET).response()
  t.match(answer, { status: 503, headers: { 'retry-after': '1' } })
  t.match(answer.body.toString(), 'OVERLOADED')
  second.write(GET)
  await waiting(running, 1)
  target.server.emit('release')
  t.equal((await first.response()).status, 200)
  await until(() => target.requests.length === 2, 'the next request to take its place')
  target.server.emit('release')
  t.equal((await second.response()).status, 200)
  t.equal(target.requests.length, 2)
})

void t.test('an upgrade waits for a target too', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 5_000 })
  const client = await running.connect()
  client.write(requestBytes('GET /', UPGRADE_HEADERS))
  await waiting(running, 1)
  const target = await FakeTarget.start(t, 'a', undefined, {
    onUpgrade: (_request, socket) =>
      socket.end('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  })
  await running.setTargets(target)
  t.equal((await client.response()).status, 101)
})
