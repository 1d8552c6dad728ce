import { pino } from 'pino'
import t from 'tap'
import { BloatGuard } from '#src/primary/plan/bloat-guard.js'
import { Slot } from '#src/primary/plan/slot.js'
import { FakeClock } from '../../helpers/fake-clock.js'

void t.test('a limit that no worker can hold is one replacement a minute in each place, and one message', async t => {
  const clock = new FakeClock(t)
  const said: string[] = []
  const guard = new BloatGuard(pino({}, { write: line => void said.push(line) }))
  const [one, other] = [new Slot('worker'), new Slot('worker')]
  t.ok(guard.mayReplace(one))
  t.ok(guard.mayReplace(other))
  for (let second = 0; second < 59; second += 1) {
    clock.advance(1_000)
    t.notOk(guard.mayReplace(one))
    t.notOk(guard.mayReplace(other))
  }
  t.equal(said.length, 1)
  t.match(said[0], /WORKER_MAX_MEMORY/)
  clock.advance(1_000)
  t.ok(guard.mayReplace(one))
})
