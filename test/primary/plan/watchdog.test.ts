import t from 'tap'
import type { Child, ChildState } from '#src/primary/processes/child.js'
import { Slot } from '#src/primary/plan/slot.js'
import { Watchdog, type Watched } from '#src/primary/plan/watchdog.js'
import { FakeClock } from '../../helpers/fake-clock.js'

class FakeChild implements Watched {
  startedAt = performance.now()
  heardAt = performance.now()

  constructor(public state: ChildState) {}

  excuse(): void {
    this.startedAt = this.heardAt = performance.now()
  }
}

/** As the primary does: a look each second. */
function look(clock: FakeClock, watchdog: Watchdog, children: FakeChild[], seconds: number): void {
  for (let second = 0; second < seconds; second += 1) {
    clock.advance(1_000)
    watchdog.wake(children)
  }
}

void t.test('a child that serves or drains and is not heard of for ten seconds hangs', async t => {
  const clock = new FakeClock(t)
  const watchdog = new Watchdog()
  for (const state of ['ready', 'draining'] as const) {
    const child = new FakeChild(state)
    look(clock, watchdog, [child], 9)
    t.equal(watchdog.hangs(child), undefined)
    look(clock, watchdog, [child], 1)
    t.equal(watchdog.hangs(child), 'not heard of for 10 s')
    child.heardAt = performance.now()
    t.equal(watchdog.hangs(child), undefined)
    child.state = 'stopping'
    look(clock, watchdog, [child], 60)
    t.equal(watchdog.hangs(child), undefined, 'that has a deadline of its own')
  }
})

void t.test('one that is heard of each second but does not get ready is given up', async t => {
  const clock = new FakeClock(t)
  const watchdog = new Watchdog()
  const child = new FakeChild('starting')
  look(clock, watchdog, [child], 29)
  child.heardAt = performance.now()
  t.equal(watchdog.hangs(child), undefined)
  look(clock, watchdog, [child], 1)
  t.equal(watchdog.hangs(child), 'not ready within 30 s')
})

void t.test('a replacement that is ready and found well by nobody is given up', async t => {
  const clock = new FakeClock(t)
  const watchdog = new Watchdog()
  const slot = new Slot('worker')
  const child = new FakeChild('ready')
  slot.replacement = child as unknown as Child
  look(clock, watchdog, [child], 29)
  t.equal(
    watchdog.unused(slot, () => false),
    undefined,
  )
  look(clock, watchdog, [child], 1)
  t.equal(
    watchdog.unused(slot, () => false),
    'not healthy within 30 s',
  )
  t.equal(
    watchdog.unused(slot, () => true),
    undefined,
  )
})

void t.test('after a pause of the primary itself nobody is to blame', async t => {
  const clock = new FakeClock(t)
  const watchdog = new Watchdog()
  const children = [new FakeChild('ready'), new FakeChild('starting')]
  look(clock, watchdog, children, 5)
  clock.stall(3_600_000)
  watchdog.wake(children)
  for (const child of children) t.equal(watchdog.hangs(child), undefined)
  look(clock, watchdog, children, 10)
  t.equal(watchdog.hangs(children[0]!), 'not heard of for 10 s', 'but from then on')
})
