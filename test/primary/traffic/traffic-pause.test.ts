import t, { type Test } from 'tap'
import { createLog } from '#src/process/log.js'
import { TrafficPause } from '#src/primary/traffic/traffic-pause.js'
import { failureOf } from '../../helpers/cluster.js'
import { FakeClock } from '../../helpers/fake-clock.js'

interface Given {
  clock: FakeClock
  pause: TrafficPause
  lines: string[]
  /** The orders to the balancing processes, one for each change. */
  orders: (number | undefined)[]
  /** Nothing is in flight any more. */
  quieten: () => void
}

function given(t: Test): Given {
  const clock = new FakeClock(t)
  const lines: string[] = []
  const orders: (number | undefined)[] = []
  let quieten = (): void => undefined
  const quiet = new Promise<void>(resolve => (quieten = resolve))
  const log = createLog('primary', 'info', { write: line => void lines.push(line) })
  const pause: TrafficPause = new TrafficPause(
    {
      edgeChanged: () => orders.push(pause.order.pausedUntil),
      routed: () => Promise.resolve(),
      quiet: () => quiet,
    },
    log,
    () => clock.now,
  )
  return { clock, pause, lines, orders, quieten }
}

void t.test('a pause that nobody ends is over at its end, and the log says so', async t => {
  const { clock, pause, lines, orders } = given(t)
  const { since, until } = await pause.begin({ seconds: 30, drain: false })
  t.equal(Date.parse(until) - Date.parse(since), 30_000)
  t.match(lines, [/requests wait: traffic is paused for 30 s at most/])
  clock.advance(29_999)
  t.strictSame(pause.facts, { since, until })
  clock.advance(1)
  t.equal(pause.facts, undefined)
  t.match(lines[1], /requests go on: the pause has ended by itself after 30 s/)
  t.strictSame(orders, [Date.parse(until), undefined])
  t.equal(clock.pending, 0)
})

void t.test('a second pause changes the end of the first, which began when it began', async t => {
  const { clock, pause } = given(t)
  const { since } = await pause.begin({ seconds: 10, drain: false })
  clock.advance(9_000)
  const longer = await pause.begin({ seconds: 10, drain: false })
  t.equal(longer.since, since)
  clock.advance(9_000)
  t.strictSame(pause.facts, longer)
  t.equal(await pause.end(), 18_000)
  t.equal(pause.facts, undefined)
  t.equal(await pause.end(), 0)
  t.equal(clock.pending, 0)
})

void t.test('a caller that waits until nothing is in flight is told of it, or of the end of the pause', async t => {
  const { clock, pause, quieten } = given(t)
  const late = pause.begin({ seconds: 10, drain: true })
  clock.advance(10_000)
  t.match(await failureOf(late), { code: 'STILL_IN_FLIGHT' })
  const good = pause.begin({ seconds: 10, drain: true })
  quieten()
  t.match(await good, { since: String })
  await pause.end()
})

void t.test('a caller goes on waiting when the end of the pause is changed', async t => {
  const { clock, pause, quieten } = given(t)
  const waiting = pause.begin({ seconds: 10, drain: true })
  await pause.begin({ seconds: 60, drain: false })
  clock.advance(30_000)
  quieten()
  t.match(await waiting, { since: String })
  const late = pause.begin({ seconds: 10, drain: true })
  t.match(await late, { since: String }, 'at once, when nothing is in flight')
  await pause.end()
})
