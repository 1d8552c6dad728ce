import t from 'tap'
import { noVitals, type Vitals } from '#src/ipc/vitals.js'
import { PoolSize } from '#src/primary/pool-size.js'

interface Seen {
  name: string
  role: 'balancer' | 'worker'
  state: 'ready'
  vitals: Vitals
  heardAt: number
}

interface Story {
  pool: PoolSize
  resized: number[]
  decided: string[]
  /** One look a second, from the last one on. */
  readonly look: (seconds: number, vitals?: Partial<Vitals>, isSilent?: boolean) => void
}

const config = { workers: { min: 0, max: 4 }, balancers: 1, maxInFlight: 100, scaleToZeroAfterS: 10 }

function storyOf(workers = config.workers): Story {
  const [resized, decided]: [number[], string[]] = [[], []]
  const pool = new PoolSize(
    { ...config, workers },
    { onResize: count => resized.push(count), onDecision: (count, reason) => decided.push(`${count}: ${reason}`) },
  )
  let now = performance.now()
  const look = (seconds: number, vitals: Partial<Vitals> = {}, isSilent = false): void => {
    for (let second = 0; second < seconds; second += 1) {
      now += 1_000
      const heardAt = isSilent ? now - 2_000 : now
      const seen: Seen = {
        name: 'worker 1',
        role: 'worker',
        state: 'ready',
        vitals: { ...noVitals, rssBytes: 1, ...vitals },
        heardAt,
      }
      pool.followLoad([seen], now)
      pool.lookForSleep([seen], undefined, now)
    }
  }
  return { pool, resized, decided, look }
}

void t.test('an idle pool has no worker, and one when it wakes', t => {
  const { pool, resized, decided, look } = storyOf()
  t.equal(pool.wanted, 1)
  look(4, { inFlight: 150 })
  t.ok(pool.wanted > 1, 'it has grown')
  look(12)
  t.equal(pool.wanted, 0)
  t.equal(resized.at(-1), 1)
  t.equal(decided.at(-1), '0: pool shrinks to 0 workers: there was no request for 10 s')
  pool.wake('a request waits')
  t.equal(pool.wanted, 1)
  t.equal(decided.at(-1), '1: pool grows from 0 workers: a request waits')
  t.end()
})

void t.test('nothing is decided by load while the pool is empty', t => {
  const { pool, decided, look } = storyOf()
  look(12)
  const before = decided.length
  look(1_000)
  t.equal(pool.wanted, 0)
  t.equal(decided.length, before)
  t.end()
})

void t.test('a process whose heartbeat is late, or has not come yet, keeps the workers', t => {
  for (const [vitals, isSilent] of [
    [{}, true],
    [{ rssBytes: 0 }, false],
  ] as const) {
    const { pool, look } = storyOf()
    look(100, vitals, isSilent)
    t.equal(pool.wanted, 1)
    t.match(pool.sleep, { asleep: false, heldBy: 'a process has not reported its requests yet' })
  }
  t.end()
})

void t.test('a late heartbeat does not wake the instance', t => {
  const { pool, look } = storyOf()
  look(12)
  look(20, {}, true)
  t.equal(pool.wanted, 0)
  t.end()
})

void t.test('a number that somebody has set stays, and workers of another range always run', t => {
  const { pool, look } = storyOf()
  pool.fix(3)
  look(100)
  look(10, { inFlight: 900 })
  t.equal(pool.wanted, 3)
  t.equal(pool.sleep, undefined)
  const { pool: other, look: lookAt } = storyOf({ min: 2, max: 4 })
  lookAt(1_000)
  t.equal(other.wanted, 2)
  t.notOk(other.mayBeEmpty)
  t.end()
})

void t.test('more balancers give a worker more places', t => {
  const one = storyOf()
  one.look(4, { inFlight: 90 })
  t.equal(one.pool.wanted, 2)
  const four = storyOf()
  four.pool.setBalancers(4)
  four.look(4, { inFlight: 90 })
  t.equal(four.pool.wanted, 1)
  t.end()
})
