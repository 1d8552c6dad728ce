import t from 'tap'
import { PoolDemand, type DemandFacts } from '#src/primary/pool-demand.js'
import type { Child } from '#src/primary/processes/child.js'

/** The reason, beside requests, for which the pool is told to have a worker. */
function needOf(facts: {
  isAsleep?: boolean
  waiting?: number
  cronJob?: string
  children?: object[]
}): string | undefined {
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
  demand.look((facts.children ?? []) as Child[], 0)
  return told
}

void t.test('a cron job keeps the workers that run, and wakes none', t => {
  t.equal(needOf({}), undefined)
  t.equal(needOf({ cronJob: 'bills' }), 'cron job "bills" runs')
  t.equal(needOf({ cronJob: 'bills', isAsleep: true }), undefined)
  t.equal(needOf({ cronJob: 'bills', isAsleep: true, waiting: 1 }), 'a request waits')
  t.end()
})

void t.test('connections that a worker has not taken yet keep it', t => {
  const worker = { role: 'worker', state: 'ready', spec: { release: 'start' } }
  t.equal(needOf({ children: [{ ...worker, awaitsConnections: true }] }), 'a request waits')
  t.equal(needOf({ children: [{ ...worker, awaitsConnections: false }] }), undefined)
  t.end()
})
