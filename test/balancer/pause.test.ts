import t from 'tap'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

const GET = requestBytes('GET /page')
/** Longer than any test lasts. */
const inAMinute = (): number => Date.now() + 60_000

async function waiting(running: RunningBalancer, count: number): Promise<void> {
  await until(() => running.balancer.ledger().waiting === count, `${count} to wait`)
}

void t.test('requests of a pause reach no target, and are all served once it is over', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { maxInFlight: 2, overloadWaitMs: 1, holdMs: 20_000 })
  running.balancer.setEdge({ pausedUntil: inAMinute() })
  const clients = []
  for (let i = 0; i < 20; i += 1) {
    const client = await running.connect()
    client.write(i % 2 === 0 ? GET : requestBytes('POST /form', [], 'x'.repeat(1_000)))
    clients.push(client)
  }
  await waiting(running, 20)
  t.equal(target.requests.length, 0)
  running.balancer.setEdge({})
  for (const client of clients) t.equal((await client.response()).status, 200)
  t.equal(target.requests.length, 20, 'though they come back together, and two fit')
  await running.quiet(20)
})

void t.test('the end of the requests in flight is reported once', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    target.server.once('release', () => response.end('released'))
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(GET)
  await until(() => target.requests.length === 1, 'the request to arrive')
  const until1 = inAMinute()
  running.balancer.setEdge({ pausedUntil: until1 })
  const late = await running.connect()
  late.write(GET)
  await waiting(running, 1)
  t.strictSame(running.quietIn, [])
  target.server.emit('release')
  t.equal((await client.response()).body.toString(), 'released')
  await until(() => running.quietIn.length > 0, 'the word that nothing is in flight')
  t.equal(target.requests.length, 1)
  t.strictSame(running.quietIn, [until1])
})

void t.test('a request that was sent before the pause is sent again if its target goes', async t => {
  const first = await FakeTarget.start(t, 'a', () => undefined)
  const running = await RunningBalancer.start(t, [first])
  const client = await running.connect()
  client.write(GET)
  await until(() => first.requests.length === 1, 'the request to arrive')
  const second = await FakeTarget.start(t, 'b')
  await running.setTargets(first, second)
  running.balancer.setEdge({ pausedUntil: inAMinute() })
  running.balancer.setTargets([first.spec, second.spec], 1, [{ id: 'a', fault: false }])
  await first.kill()
  t.equal((await client.response()).status, 200)
  t.equal(second.requests.length, 1)
})

void t.test('a pause ends by itself', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  const end = Date.now() + 300
  running.balancer.setEdge({ pausedUntil: end })
  t.equal((await client.write(GET).response()).status, 200)
  t.ok(Date.now() >= end - 2)
})

void t.test('requests that wait for a target are held back with the others', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 5_000 })
  const client = await running.connect()
  client.write(GET)
  await waiting(running, 1)
  running.balancer.setEdge({ pausedUntil: inAMinute() })
  const target = await FakeTarget.start(t, 'a')
  await running.setTargets(target)
  t.equal(target.requests.length, 0)
  t.equal(running.balancer.ledger().waiting, 1)
  running.balancer.setEdge({})
  t.equal((await client.response()).status, 200)
})

void t.test('a pause holds as many requests as any waiting room, and none whose client has left', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { holdLimit: 2 })
  running.balancer.setEdge({ pausedUntil: inAMinute() })
  const clients = [await running.connect(), await running.connect(), await running.connect()] as const
  clients[0].write(GET)
  clients[1].write(GET)
  await waiting(running, 2)
  const refused = await clients[2].write(GET).response()
  t.match(refused, { status: 503, headers: { 'retry-after': '1' } })
  t.match(refused.body.toString(), 'WAITING_ROOM_FULL')
  clients[0].reset()
  await waiting(running, 1)
})

void t.test('an upgrade waits as well', async t => {
  const target = await FakeTarget.start(t, 'a', undefined, {
    onUpgrade: (_request, socket) =>
      socket.end('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  })
  const running = await RunningBalancer.start(t, [target])
  running.balancer.setEdge({ pausedUntil: inAMinute() })
  const [client, gone] = [await running.connect(), await running.connect()]
  for (const each of [client, gone]) each.write(requestBytes('GET /', UPGRADE_HEADERS))
  await waiting(running, 2)
  gone.reset()
  await waiting(running, 1)
  running.balancer.setEdge({})
  t.equal((await client.response()).status, 101)
})

void t.test('the health check of a load balancer in front is answered during a pause', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { edgeHealthPath: '/health' })
  running.balancer.setEdge({ pausedUntil: inAMinute() })
  const client = await running.connect()
  t.match(await client.write(requestBytes('GET /health?full=1')).response(), { status: 200, body: Buffer.from('OK\n') })
  const probes = target.probes
  running.balancer.setEdge({})
  t.equal((await client.write(requestBytes('GET /health')).response()).body.toString(), 'OK')
  t.ok(target.probes > probes, 'the target answers again')
})

void t.test('a balancer that stops during a pause serves what waits before its deadline', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  running.balancer.setEdge({ pausedUntil: inAMinute() })
  const client = await running.connect()
  client.write(GET)
  await waiting(running, 1)
  const stopped = running.balancer.stop(1_000)
  t.equal((await client.response()).status, 200)
  await stopped
})
