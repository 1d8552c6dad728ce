import t from 'tap'
import { ShutdownClock } from '#src/primary/host/shutdown-clock.js'
import { FakeClock } from '../../helpers/fake-clock.js'

for (const timeoutMs of [300, 3_000, 30_000]) {
  void t.test(`a stop of ${timeoutMs} ms leaves time for every process that has to be killed`, async t => {
    const clock = new FakeClock(t)
    const shutdown = new ShutdownClock(timeoutMs)
    const begun = clock.now
    const { cutAt, graceMs } = shutdown.begin()
    t.ok(cutAt - begun >= (timeoutMs * 2) / 3 - 1, 'most of it is for requests in flight')
    // Balancers are killed a grace after the cut. The workers are then ordered to stop, and killed two graces later.
    const killedAt = cutAt + graceMs + 2 * graceMs
    clock.advance(killedAt - begun)
    const store = shutdown.patience(8_000)
    clock.advance(store)
    const redis = shutdown.patience(5_000)
    t.ok(clock.now + redis <= begun + timeoutMs + graceMs / 2, 'and all of it is over in time')
  })
}

void t.test('a service gets the time that it asks for while there is enough', async t => {
  const clock = new FakeClock(t)
  const shutdown = new ShutdownClock(30_000)
  t.equal(shutdown.patience(5_000), 5_000)
  shutdown.begin()
  t.equal(shutdown.patience(5_000), 5_000)
  clock.advance(28_000)
  t.ok(shutdown.patience(5_000) < 2_000)
  t.ok(shutdown.patience(5_000) > 0)
})
