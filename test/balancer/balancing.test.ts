import type { IncomingMessage, ServerResponse } from 'node:http'
import t from 'tap'
import { until } from '../helpers/deadline.js'
import { FakeTarget, RawTarget } from '../helpers/fake-target.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

const GET = requestBytes('GET /page')

/** Sends `times` requests over `width` connections, as fast as they are answered. */
async function load(running: RunningBalancer, times: number, width: number): Promise<void> {
  let left = times
  const lane = async (): Promise<void> => {
    const client = await running.connect()
    while (left > 0) {
      left -= 1
      const { status } = await client.write(GET).response()
      if (status !== 200) throw new Error(`answered ${status}`)
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
}

void t.test('round robin gives two targets 500 of 1,000 requests each', async t => {
  const [a, b] = [await FakeTarget.start(t, 'a'), await FakeTarget.start(t, 'b')]
  const running = await RunningBalancer.start(t, [a, b])
  await load(running, 1_000, 20)
  t.ok(Math.abs(a.requests.length - 500) <= 1, `${a.requests.length} at a`)
  t.equal(a.requests.length + b.requests.length, 1_000)
})

void t.test('round robin stays even while targets come and go', async t => {
  const targets = [await FakeTarget.start(t, 'a'), await FakeTarget.start(t, 'b'), await FakeTarget.start(t, 'c')]
  const running = await RunningBalancer.start(t, targets)
  await load(running, 90, 3)
  t.same(
    targets.map(({ requests }) => requests.length),
    [30, 30, 30],
  )
  await running.setTargets(...targets.slice(1))
  await load(running, 60, 3)
  t.equal(targets[0]?.requests.length, 30)
  t.ok(Math.abs(targets[1]!.requests.length - 60) <= 1)
})

void t.test('least busy avoids a slow target', async t => {
  const stuck = await FakeTarget.start(t, 'stuck', () => undefined)
  const quick = await FakeTarget.start(t, 'quick')
  const running = await RunningBalancer.start(t, [stuck, quick], { balance: 'least-busy', slowStartMs: 0 })
  for (let i = 0; i < 40; i += 1) {
    const client = await running.connect()
    client.write(GET)
    const arrived = (): number => stuck.requests.length + quick.requests.length
    const { balancer } = running
    await until(
      () => arrived() > i && balancer.ledger().inFlight === stuck.requests.length,
      'the request to be answered or stuck',
    )
  }
  t.ok(stuck.requests.length <= 1, 'with one request in flight there, the other target is always less busy')
  t.equal(stuck.requests.length + quick.requests.length, 40)
})

void t.test('an unhealthy target gets no requests until it is healthy again', async t => {
  const [a, b] = [await FakeTarget.start(t, 'a'), await FakeTarget.start(t, 'b')]
  const running = await RunningBalancer.start(t, [a, b], { healthIntervalMs: 10 })
  a.healthy = false
  await running.becomes('a', 'unhealthy')
  await load(running, 10, 1)
  t.equal(a.requests.length, 0)
  a.healthy = true
  await running.becomes('a', 'ready')
  await load(running, 10, 1)
  t.equal(a.requests.length, 5)
})

void t.test('requests at a hung target are tried elsewhere as soon as its probes fail', async t => {
  const hung = await FakeTarget.start(t, 'hung', () => undefined)
  const good = await FakeTarget.start(t, 'good')
  const running = await RunningBalancer.start(t, [hung, good], { healthIntervalMs: 10 })
  const clients = [await running.connect(), await running.connect()]
  for (const client of clients) client.write(GET)
  await until(() => hung.requests.length === 1, 'one at the hung target')
  hung.healthy = false
  for (const client of clients) t.equal((await client.response()).headers['x-target'], 'good')
  await until(() => hung.requests[0]?.aborted === true, 'the request at the hung target to be aborted')
})

void t.test('health is ignored while fewer than half of the targets are healthy', async t => {
  const targets = [await FakeTarget.start(t, 'a'), await FakeTarget.start(t, 'b'), await FakeTarget.start(t, 'c')]
  const running = await RunningBalancer.start(t, targets, { healthIntervalMs: 10 })
  for (const target of targets) target.healthy = false
  for (const { name } of targets) await running.becomes(name, 'unhealthy')
  await load(running, 9, 1)
  t.same(
    targets.map(({ requests }) => requests.length),
    [3, 3, 3],
  )
})

void t.test('targets that fail real traffic are ejected for a while, but at most half of them', async t => {
  const broken = [
    await RawTarget.start(t, 'a', socket => socket.destroy()),
    await RawTarget.start(t, 'b', socket => socket.destroy()),
  ]
  const running = await RunningBalancer.start(t, broken, { ejectAfter: 2, ejectMs: 500 })
  for (let i = 0; i < 6; i += 1) t.equal((await rawExchange(running.port, requestBytes('POST /', [], 'x'))).status, 502)
  const ejected = [...running.states].filter(([, state]) => state === 'ejected')
  t.equal(ejected.length, 1)
  await running.becomes(ejected[0]![0], 'ready')
})

void t.test('a client whose requests the app breaks takes no target from the others', async t => {
  const serve = ({ url }: IncomingMessage, response: ServerResponse): void => {
    if (url === '/broken') response.destroy()
    else response.end()
  }
  const targets = await Promise.all(['a', 'b'].map(name => FakeTarget.start(t, name, serve)))
  const running = await RunningBalancer.start(t, targets, { ejectAfter: 2 })
  const other = await running.connect()
  t.equal((await other.write(GET).response()).status, 200)
  for (let i = 0; i < 9; i += 1) {
    const client = await RawConnection.open(running.port, '127.0.0.2')
    t.equal((await client.write(requestBytes('POST /broken', [], 'x')).response()).status, 502)
    client.destroy()
  }
  t.notOk([...running.states.values()].includes('ejected'))
})

void t.test('a target whose socket comes back is used after its next good probe', async t => {
  const first = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [first], { healthIntervalMs: 3_600_000 })
  await running.becomes('a', 'ready')
  await first.kill()
  const client = await running.connect()
  client.write(GET)
  await running.becomes('a', 'unreachable')
  t.equal(running.balancer.ledger().waiting, 1)
  await FakeTarget.start(t, 'a', undefined, { socketPath: first.socketPath })
  t.equal((await client.response()).status, 200)
})
