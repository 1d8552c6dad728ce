import t from 'tap'
import { Target, type TargetObserver, type TargetState } from '#balancer/targets/target.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { FakeRequest, FakeUpgraded, NoTransport } from '../../helpers/fake-pool.js'

class Log implements TargetObserver {
  readonly lines: string[] = []

  targetChanged(target: Target, from: TargetState): void {
    this.lines.push(`${from} -> ${target.state}`)
  }

  targetHasRoom(): void {
    this.lines.push('has room')
  }

  targetDrained(): void {
    this.lines.push('drained')
  }
}

function newTarget(maxInFlight = 2): { target: Target; log: Log; transport: NoTransport } {
  const log = new Log()
  const transport = new NoTransport()
  return { target: new Target('a', transport, maxInFlight, log), log, transport }
}

type Transition = 'markReady' | 'markUnhealthy' | 'markUnreachable' | 'eject' | 'beginDrain' | 'markGone'

/** The transitions that lead to a state from `joining`. */
const ways: Record<TargetState, Transition[]> = {
  joining: [],
  ready: ['markReady'],
  unhealthy: ['markReady', 'markUnhealthy'],
  unreachable: ['markReady', 'markUnreachable'],
  ejected: ['markReady', 'eject'],
  draining: ['markReady', 'beginDrain'],
  gone: ['markGone'],
}

const table: Record<Transition, Partial<Record<TargetState, TargetState>>> = {
  markReady: { joining: 'ready', unhealthy: 'ready', unreachable: 'ready', ejected: 'ready' },
  markUnhealthy: { ready: 'unhealthy', ejected: 'unhealthy' },
  markUnreachable: { joining: 'unreachable', ready: 'unreachable', unhealthy: 'unreachable', ejected: 'unreachable' },
  eject: { ready: 'ejected' },
  beginDrain: {
    joining: 'draining',
    ready: 'draining',
    unhealthy: 'draining',
    unreachable: 'draining',
    ejected: 'draining',
  },
  markGone: {
    joining: 'gone',
    ready: 'gone',
    unhealthy: 'gone',
    unreachable: 'gone',
    ejected: 'gone',
    draining: 'gone',
  },
}

for (const [transition, moves] of Object.entries(table) as [Transition, Partial<Record<TargetState, TargetState>>][]) {
  for (const [from, way] of Object.entries(ways) as [TargetState, Transition[]][]) {
    const to = moves[from] ?? from
    void t.test(
      `${transition}() ${to === from ? 'leaves' : 'turns'} a target that is ${from}${to === from ? ' as it is' : ` to ${to}`}`,
      t => {
        const { target, log } = newTarget()
        for (const step of way) target[step]()
        t.equal(target.state, from)
        const before = log.lines.length
        target[transition]()
        t.equal(target.state, to)
        t.same(log.lines.slice(before, before + 1), to === from ? [] : [`${from} -> ${to}`])
        t.end()
      },
    )
  }
}

void t.test('requests in flight are told that their target went down, but not that it drains', t => {
  for (const [transition, downs] of [
    ['markUnhealthy', 1],
    ['markUnreachable', 1],
    ['eject', 1],
    ['markGone', 1],
    ['beginDrain', 0],
  ] as const) {
    const { target } = newTarget()
    const request = new FakeRequest()
    target.markReady()
    target.begin(request)
    target[transition]()
    t.equal(request.downs, downs, transition)
  }
  t.end()
})

void t.test('a target is full at its limit and reports when it has room again', t => {
  const { target, log } = newTarget(2)
  target.markReady()
  const a = target.begin(new FakeRequest())
  t.notOk(target.full)
  const b = target.begin(new FakeRequest())
  t.ok(target.full)
  t.equal(target.inFlight, 2)
  target.end(a)
  target.end(a)
  target.end(b)
  t.same(log.lines, ['joining -> ready', 'has room'])
  t.end()
})

void t.test('a drain ends once, with the last request and the last upgraded connection', t => {
  const { target, log } = newTarget()
  const connection = new FakeUpgraded()
  target.markReady()
  const place = target.begin(new FakeRequest())
  target.beginUpgraded(connection)
  target.beginDrain()
  t.equal(connection.closes, 1)
  target.end(place)
  t.notOk(log.lines.includes('drained'))
  target.markReady()
  target.markUnhealthy()
  target.markUnreachable()
  t.equal(target.state, 'draining', 'no probe ends the drain')
  target.endUpgraded(connection)
  target.endUpgraded(connection)
  target.beginDrain()
  t.equal(log.lines.filter(line => line === 'drained').length, 1)
  t.end()
})

void t.test('a target that is found dead is gone, and its drain still ends', t => {
  for (const steps of [
    ['markReady', 'beginDrain', 'markUnreachable'],
    ['markReady', 'markUnreachable', 'beginDrain'],
  ] as const) {
    const { target, log } = newTarget()
    const place = target.begin(new FakeRequest())
    for (const step of steps) target[step]()
    t.ok(target.gone)
    t.equal(target.state, 'draining')
    target.end(place)
    t.equal(log.lines.at(-1), 'drained')
  }
  const { target } = newTarget()
  for (const step of ['markReady', 'markUnreachable', 'markReady', 'beginDrain'] as const) target[step]()
  t.notOk(target.gone, 'it was ready again before the drain')
  t.end()
})

void t.test('a drain with nothing in flight ends at once', t => {
  const { target, log } = newTarget()
  target.beginDrain()
  target.beginDrain()
  t.same(log.lines, ['joining -> draining', 'drained'])
  t.end()
})

void t.test('a connection that is upgraded during a drain is closed at once', t => {
  const { target } = newTarget()
  const connection = new FakeUpgraded()
  target.begin(new FakeRequest())
  target.beginDrain()
  target.beginUpgraded(connection)
  t.equal(connection.closes, 1)
  t.end()
})

void t.test('upgraded connections are closed a few at a time, without waiting for slow ones', t => {
  const clock = new FakeClock(t)
  const { target } = newTarget()
  const connections = Array.from({ length: 120 }, () => new FakeUpgraded())
  for (const connection of connections) target.beginUpgraded(connection)
  const told = (): number => connections.filter(({ closes }) => closes > 0).length
  target.beginDrain()
  t.equal(told(), 50)
  clock.advance(50)
  t.equal(told(), 100)
  clock.advance(50)
  t.equal(told(), 120)
  for (const connection of connections) target.endUpgraded(connection)
  clock.advance(1_000)
  t.equal(clock.pending, 0)
  t.ok(
    connections.every(({ closes }) => closes === 1),
    'each is closed once',
  )
  t.end()
})

void t.test('the transport is closed once, when the target is gone', t => {
  const { target, transport } = newTarget()
  t.notOk(target.gone)
  target.markUnreachable()
  t.ok(target.gone)
  target.markGone()
  target.markGone()
  t.equal(transport.closed, 1)
  t.end()
})

void t.test('a target records when it became ready', t => {
  const clock = new FakeClock(t)
  const { target } = newTarget()
  target.markReady()
  t.equal(target.readySince, clock.now)
  t.end()
})
