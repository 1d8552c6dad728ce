import t from 'tap'
import { ClockWatch } from '#src/primary/cron/clock-watch.js'

void t.test('a clock that was set back by more than a minute is noticed, once', t => {
  const watch = new ClockWatch()
  const steps = [1_000_000, 1_030_000, 9_000_000, 8_940_000, 8_879_999, 8_880_000, -1].map(now => watch.wasSetBack(now))
  t.strictSame(steps, [false, false, false, false, true, false, true])
  t.end()
})
