import t from 'tap'
import { noVitals, type Vitals } from '#src/ipc/vitals.js'
import { Sleeper } from '#src/primary/sleeper.js'

const AFTER = 60_000

function balancer(vitals: Partial<Vitals> = {}): { name: string; vitals: Vitals } {
  return { name: 'balancer 1', vitals: { ...noVitals, ...vitals } }
}

void t.test('an instance whose workers always run never sleeps', t => {
  const sleeper = new Sleeper(undefined, () => t.fail('no change'))
  const now = performance.now()
  for (let second = 0; second < 1_000; second += 1) sleeper.look([balancer()], undefined, now + second * 1_000)
  t.equal(sleeper.isAsleep, false)
  t.equal(sleeper.facts, undefined)
  t.end()
})

void t.test('an instance sleeps when idle, wakes up, and never sleeps once its workers are set', t => {
  const reasons: string[] = []
  const sleeper = new Sleeper(AFTER, reason => reasons.push(reason))
  const now = performance.now()
  sleeper.look([balancer({ inFlight: 1 })], undefined, now)
  t.strictSame(sleeper.facts, { asleep: false, heldBy: 'a request is in flight' })
  for (let second = 1; second <= 61; second += 1) sleeper.look([balancer()], undefined, now + second * 1_000)
  t.strictSame(sleeper.facts, { asleep: true })
  sleeper.wake('a request waits')
  t.equal(sleeper.isAsleep, false)
  sleeper.fix()
  for (let second = 62; second <= 300; second += 1) sleeper.look([balancer()], undefined, now + second * 1_000)
  t.equal(sleeper.isAsleep, false)
  t.strictSame(reasons, [
    'pool shrinks to 0 workers: there was no request for 60 s',
    'pool grows from 0 workers: a request waits',
  ])
  t.end()
})

void t.test('time without reports does not count as idle time', t => {
  const sleeper = new Sleeper(AFTER, () => t.fail('no change'))
  const now = performance.now()
  sleeper.look([balancer()], undefined, now)
  sleeper.look([balancer()], undefined, now + 10 * AFTER)
  t.equal(sleeper.isAsleep, false)
  t.end()
})
