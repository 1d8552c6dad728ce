import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { SelfMeasurement } from '#src/ipc/self-measurement.js'

function keepBusy(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

void t.test('a busy event loop shows in its use, its delay and the CPU time', async t => {
  await nextTurn()
  const self = new SelfMeasurement(10)
  keepBusy(100)
  await nextTurn()
  const busy = self.take({ inFlight: 0, streaming: 0, waiting: 0, upgraded: 0, requests: 0 })
  t.ok(busy.loopDelayMs >= 90, `delay ${busy.loopDelayMs}`)
  t.equal(self.loopDelayMs, busy.loopDelayMs)
  t.ok(busy.loopUse > 0.5 && busy.loopUse <= 1, `use ${busy.loopUse}`)
  t.ok(busy.cpuUse > 0, `CPU ${busy.cpuUse}`)
  t.ok(busy.rssBytes > 1_000_000)
})

void t.test('requests a second are those since the measurement before', t => {
  const self = new SelfMeasurement(50)
  keepBusy(50)
  const first = self.take({ inFlight: 3, streaming: 0, waiting: 0, upgraded: 0, requests: 100 })
  t.match(first, { inFlight: 3, requests: 100 })
  t.ok(first.requestsPerSecond > 0 && first.requestsPerSecond <= 2_000, `${first.requestsPerSecond} a second`)
  keepBusy(50)
  t.equal(self.take({ inFlight: 0, streaming: 0, waiting: 0, upgraded: 0, requests: 100 }).requestsPerSecond, 0)
  t.end()
})
