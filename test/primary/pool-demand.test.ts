import t from 'tap'
import { PoolDemand, type DemandFacts } from '#src/primary/pool-demand.js'

/** The reason, beside requests, for which the pool is told to have a worker. */
function needOf(facts: { isAsleep?: boolean; waiting?: number; cronJob?: string }): string | undefined {
  let told: string | undefined
  const pool = {
    isAsleep: facts.isAsleep ?? false,
    followLoad: () => undefined,
    lookForSleep: (_children: unknown, other: string | undefined) => (told = other),
  }
  const demand = new PoolDemand({
    pool,
    releases: { underWay: undefined, warm: undefined, isAside: () => false },
    reloads: { areUnderWay: false },
    starts: { areOver: true },
    factory: {},
    isPaused: () => false,
    waiting: () => facts.waiting ?? 0,
    cronJob: () => facts.cronJob,
  } as unknown as DemandFacts)
  demand.look([], 0)
  return told
}

void t.test('a cron job keeps the workers that run, and wakes none', t => {
  t.equal(needOf({}), undefined)
  t.equal(needOf({ cronJob: 'bills' }), 'cron job "bills" runs')
  t.equal(needOf({ cronJob: 'bills', isAsleep: true }), undefined)
  t.equal(needOf({ cronJob: 'bills', isAsleep: true, waiting: 1 }), 'a request waits')
  t.end()
})
