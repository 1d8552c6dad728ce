import { once } from 'node:events'
import t from 'tap'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { CLOSE, echoWebSocket, FrameReader, UPGRADE_HEADERS } from '../helpers/websocket.js'

const GET = requestBytes('GET /page')

const released = (target: () => FakeTarget): FakeTarget['server'] => target().server

void t.test('a draining target takes no new requests and is drained once, after those in flight', async t => {
  const old = await FakeTarget.start(t, 'old', (_request, response) => {
    response.write('begun ')
    released(() => old).once('release', () => response.end('ended'))
  })
  const running = await RunningBalancer.start(t, [old], { healthIntervalMs: 5 })
  const clients = [await running.connect(), await running.connect()]
  for (const client of clients) client.write(GET)
  await until(() => old.requests.length === 2, 'two requests in flight')
  const fresh = await FakeTarget.start(t, 'fresh')
  const specs = [{ ...old.spec, draining: true }, fresh.spec]
  running.balancer.setTargets(specs)
  await running.becomes('fresh', 'ready')
  t.equal(running.states.get('old'), 'draining')
  const probes = old.probes
  await until(() => old.probes > probes + 3, 'a few good probes')
  t.equal(running.states.get('old'), 'draining', 'good probes do not end the drain')
  const other = await running.connect()
  for (let i = 0; i < 4; i += 1) t.equal((await other.write(GET).response()).headers['x-target'], 'fresh')
  t.same(running.drained, [])
  const drained = once(running, 'drained')
  old.server.emit('release')
  t.same(await drained, ['old'])
  for (const client of clients) t.equal((await client.response()).body.toString(), 'begun ended')
  running.balancer.setTargets(specs)
  running.balancer.setTargets([fresh.spec])
  t.equal((await other.write(GET).response()).headers['x-target'], 'fresh')
  t.same(running.drained, ['old'])
  t.equal(old.requests.length, 2)
})

void t.test('a target with nothing in flight is drained at once', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  running.balancer.setTargets([{ ...target.spec, draining: true }])
  t.same(running.drained, ['a'])
})

void t.test('a request whose client has left does not delay the drain', async t => {
  const target = await FakeTarget.start(t, 'a', () => undefined)
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(GET)
  await until(() => target.requests.length === 1, 'the request to arrive')
  running.balancer.setTargets([{ ...target.spec, draining: true }])
  t.same(running.drained, [])
  const drained = once(running, 'drained')
  client.reset()
  await drained
})

void t.test('no request under load is lost while targets are replaced one by one', async t => {
  const running = await RunningBalancer.start(t, [], { healthIntervalMs: 20 })
  let generation = [await FakeTarget.start(t, 'a0'), await FakeTarget.start(t, 'b0')]
  await running.setTargets(...generation)
  let done = false
  const counts = new Map<number, number>()
  const lane = async (): Promise<void> => {
    const client = await running.connect()
    while (!done) {
      const { status } = await client.write(requestBytes('POST /form', [], 'a=b')).response()
      counts.set(status, (counts.get(status) ?? 0) + 1)
    }
  }
  const lanes = Promise.all(Array.from({ length: 8 }, lane))
  for (let i = 1; i <= 4; i += 1) {
    for (const [slot, name] of ['a', 'b'].entries()) {
      const fresh = await FakeTarget.start(t, `${name}${i}`)
      const old = generation[slot]!
      running.balancer.setTargets([...generation, fresh].map(({ spec }) => spec))
      await running.becomes(fresh.name, 'ready')
      generation = generation.with(slot, fresh)
      const drained = running.drained.length
      running.balancer.setTargets([...generation.map(({ spec }) => spec), { ...old.spec, draining: true }])
      await until(() => running.drained.length > drained, 'the old target to be drained')
      running.balancer.setTargets(generation.map(({ spec }) => spec))
      await old.kill()
    }
  }
  done = true
  await lanes
  t.same([...counts.keys()], [200])
  t.equal(running.drained.length, 8)
})

void t.test('a drain closes upgraded connections with 1012 and waits for them', async t => {
  const target = await FakeTarget.start(t, 'a', undefined, { onUpgrade: echoWebSocket })
  const running = await RunningBalancer.start(t, [target])
  const clients = []
  for (let i = 0; i < 120; i += 1) {
    const client = await running.connect()
    t.equal((await client.write(requestBytes('GET /', UPGRADE_HEADERS)).response()).status, 101)
    clients.push(client)
  }
  t.equal(running.balancer.ledger().upgraded, 120)
  t.equal(running.balancer.ledger().inFlight, 0)
  const drained = once(running, 'drained')
  running.balancer.setTargets([{ ...target.spec, draining: true }])
  for (const client of clients) {
    t.same(new FrameReader().push(await client.bytes(4)), [{ opcode: CLOSE, payload: Buffer.from([0x03, 0xf4]) }])
    client.end()
  }
  await drained
  t.equal(running.balancer.ledger().upgraded, 0)
  await running.quiet()
})

void t.test('after `closeAfterAnswers` upgraded connections end with 1012, those that come later too', async t => {
  const targets = await Promise.all(
    ['a', 'b'].map(name => FakeTarget.start(t, name, undefined, { onUpgrade: echoWebSocket })),
  )
  const running = await RunningBalancer.start(t, targets)
  const clients = []
  for (let i = 0; i < 4; i += 1) {
    const client = await running.connect()
    t.equal((await client.write(requestBytes('GET /', UPGRADE_HEADERS)).response()).status, 101)
    clients.push(client)
  }
  const late = await running.connect()
  running.balancer.closeAfterAnswers()
  t.equal((await late.write(requestBytes('GET /', UPGRADE_HEADERS)).response()).status, 101)
  for (const client of [...clients, late]) {
    t.same(new FrameReader().push(await client.bytes(4)), [{ opcode: CLOSE, payload: Buffer.from([0x03, 0xf4]) }])
    client.end()
  }
  await until(() => running.balancer.connections === 0, 'the end of all connections')
})
