import t from 'tap'
import { ejectionMs, ejectionsThatCount, OutlierDetection } from '#balancer/targets/outlier-detection.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { readyPool } from '../../helpers/fake-pool.js'

const options = { ejectAfter: 3, ejectMs: 100, ejectMaxMs: 250 }
const asked = (clients: number) => ({ count: () => clients })
const alone = asked(1)

void t.test('failures in a row eject a target, and it comes back after a while', t => {
  const clock = new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, options, alone)
  const a = targets[0]!
  outliers.failed(a, 'a client')
  outliers.failed(a, 'a client')
  t.equal(a.state, 'ready')
  outliers.failed(a, 'a client')
  t.equal(a.state, 'ejected')
  clock.advance(99)
  t.equal(a.state, 'ejected')
  clock.advance(1)
  t.equal(a.state, 'ready')
  outliers.failed(a, 'a client')
  t.equal(a.state, 'ready', 'the count begins anew')
  t.end()
})

void t.test('an answer resets the count of failures', t => {
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, options, alone)
  for (let i = 0; i < 5; i += 1) {
    outliers.failed(targets[0]!, 'a client')
    outliers.failed(targets[0]!, 'a client')
    outliers.succeeded(targets[0]!)
  }
  t.equal(targets[0]!.state, 'ready')
  t.end()
})

void t.test('ejections grow longer, up to a limit', t => {
  t.same(
    [1, 2, 3, 9].map(times => ejectionMs(times, options)),
    [100, 200, 250, 250],
  )
  t.end()
})

void t.test('ejections grow shorter again by one step for each base time without an ejection', t => {
  const clock = new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, { ejectAfter: 1, ejectMs: 100, ejectMaxMs: 1_000 }, alone)
  const a = targets[0]!
  const ejectedFor = (): number => {
    outliers.failed(a, 'a client')
    const begun = clock.now
    while (a.state === 'ejected') clock.advance(1)
    return clock.now - begun
  }
  t.same([ejectedFor(), ejectedFor(), ejectedFor()], [100, 200, 300])
  clock.advance(99)
  t.equal(ejectedFor(), 400, 'less than one base time')
  clock.advance(250)
  t.equal(ejectedFor(), 300, 'two base times')
  clock.advance(1_000_000)
  t.equal(ejectedFor(), 100, 'all ejections are forgotten')
  t.end()
})

void t.test('an ejection that probes have ended counts as over', t => {
  const clock = new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, { ejectAfter: 1, ejectMs: 100, ejectMaxMs: 1_000 }, alone)
  const a = targets[0]!
  outliers.failed(a, 'a client')
  a.markUnhealthy()
  clock.advance(100)
  a.markReady()
  outliers.failed(a, 'a client')
  clock.advance(99)
  t.equal(a.state, 'ejected')
  clock.advance(1)
  t.equal(a.state, 'ready', 'the first ejection is forgotten')
  t.end()
})

void t.test('no more ejections count than are needed for the longest time', t => {
  t.same(
    [0, 2, 3, 50].map(times => ejectionsThatCount(times, 0, options)),
    [0, 2, 3, 3],
  )
  t.equal(ejectionsThatCount(50, 100, options), 2)
  t.end()
})

void t.test('at most half of the targets are ejected', t => {
  new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b', 'c', 'd', 'e'])
  const outliers = new OutlierDetection(pool, options, alone)
  for (let i = 0; i < 3; i += 1) for (const target of targets) outliers.failed(target, 'a client')
  t.same(
    targets.map(({ state }) => state),
    ['ejected', 'ejected', 'ready', 'ready', 'ready'],
  )
  const single = readyPool(['a'])
  const ofOne = new OutlierDetection(single.pool, options, alone)
  for (let i = 0; i < 9; i += 1) ofOne.failed(single.targets[0]!, 'a client')
  t.equal(single.targets[0]!.state, 'ready', 'the only target is never ejected')
  t.end()
})

void t.test('the timer of an earlier ejection does not end a later one', t => {
  const clock = new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, options, alone)
  const a = targets[0]!
  const fail = (): void => {
    for (let i = 0; i < 3; i += 1) outliers.failed(a, 'a client')
  }
  fail()
  clock.advance(50)
  a.markUnhealthy()
  a.markReady()
  fail()
  clock.advance(199)
  t.equal(a.state, 'ejected')
  clock.advance(1)
  t.equal(a.state, 'ready')
  t.equal(clock.pending, 0)
  t.end()
})

void t.test('a target that drains or is gone does not come back', t => {
  const clock = new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b', 'c', 'd'])
  const outliers = new OutlierDetection(pool, options, alone)
  for (const target of targets.slice(0, 2)) for (let i = 0; i < 3; i += 1) outliers.failed(target, 'a client')
  targets[0]!.beginDrain()
  pool.remove('b')
  clock.advance(1_000)
  t.equal(targets[0]!.state, 'draining')
  t.equal(targets[1]!.state, 'gone')
  t.end()
})

void t.test('stopping leaves no timer', t => {
  const clock = new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, options, alone)
  for (let i = 0; i < 3; i += 1) outliers.failed(targets[0]!, 'a client')
  t.equal(clock.pending, 1)
  outliers.stop()
  t.equal(clock.pending, 0)
  t.end()
})

void t.test('becoming ready forgets the failures before', t => {
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, options, alone)
  const a = targets[0]!
  outliers.failed(a, 'a client')
  outliers.failed(a, 'a client')
  a.markUnhealthy()
  outliers.failed(a, 'a client')
  a.markReady()
  outliers.failed(a, 'a client')
  outliers.failed(a, 'a client')
  t.equal(a.state, 'ready')
  outliers.failed(a, 'a client')
  t.equal(a.state, 'ejected')
  outliers.stop()
  t.end()
})

void t.test('a removed target is forgotten, with its timer', t => {
  const clock = new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, options, alone)
  for (let i = 0; i < 3; i += 1) outliers.failed(targets[0]!, 'a client')
  t.equal(clock.pending, 1)
  pool.remove('a')
  outliers.failed(targets[0]!, 'a client')
  t.equal(clock.pending, 0)
  t.end()
})

void t.test('while several clients ask, the failures of one do not eject a target, and those of several do', t => {
  new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, options, asked(2))
  const a = targets[0]!
  for (let i = 0; i < 9; i += 1) outliers.failed(a, 'one')
  t.equal(a.state, 'ready')
  outliers.succeeded(a)
  outliers.failed(a, 'other')
  outliers.failed(a, 'other')
  t.equal(a.state, 'ready', 'an answer in between')
  outliers.failed(a, 'one')
  t.equal(a.state, 'ejected')
  t.end()
})

void t.test('as many clients have to fail as ask, up to the number of failures', t => {
  new FakeClock(t)
  for (const [clients, needed] of [
    [0, 1],
    [1, 1],
    [2, 2],
    [8, 3],
  ] as const) {
    const { pool, targets } = readyPool(['a', 'b'])
    const outliers = new OutlierDetection(pool, options, asked(clients))
    const a = targets[0]!
    const fail = (of: number): void => {
      for (let i = 0; i < 12; i += 1) outliers.failed(a, `client ${i % of}`)
    }
    if (needed > 1) fail(needed - 1)
    t.equal(a.state, 'ready')
    fail(needed)
    t.equal(a.state, 'ejected', `${needed} of ${clients}`)
  }
  t.end()
})

void t.test('a target that answers nobody for ten seconds is ejected for the failures of any client', t => {
  const clock = new FakeClock(t)
  const { pool, targets } = readyPool(['a', 'b'])
  const outliers = new OutlierDetection(pool, options, asked(2))
  const a = targets[0]!
  for (let i = 0; i < 9; i += 1) outliers.failed(a, 'one')
  clock.advance(9_999)
  outliers.failed(a, 'one')
  t.equal(a.state, 'ready')
  clock.advance(1)
  outliers.failed(a, 'one')
  t.equal(a.state, 'ejected')
  t.end()
})
