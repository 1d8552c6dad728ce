import { resolveOptions } from '#balancer/options.js'
import type { InFlight } from '#balancer/targets/target.js'
import { TargetPool } from '#balancer/targets/target-pool.js'
import { cpuMicros, familyOf } from '#scripts/lib/proc.js'
import { entry } from '../lib/entry.js'
import { loadAtFullSpeed, type LoadPlan } from '../lib/load.js'
import { tableOf } from '../lib/report.js'
import { median } from '../lib/stats.js'
import type { Running } from '../peers/peer.js'
import type { Workload } from './workload.js'

const TARGETS = [1, 2, 4, 8, 16, 32, 64] as const
const LAST = 64
const POLICIES = ['round-robin', 'least-busy'] as const

type Policy = (typeof POLICIES)[number]

/** The factor allows for the cost of one more cache line. */
const FLAT_WITHIN = 2

/** The cost to choose a target and give it back, in the library itself, without a real request. */
export const pickCost: Workload = {
  name: 'pick',
  async run(context) {
    const turns = context.quick ? 20_000 : 300_000
    const pools = new Map(
      POLICIES.flatMap(policy => TARGETS.map(count => [`${policy} ${count}`, poolOf(policy, count)] as const)),
    )
    for (const pool of pools.values()) nanosPerPick(pool, turns)
    const samples = await context.alternate([...pools.keys()], cell => nanosPerPick(entry(pools, cell), turns))
    const of = (policy: Policy, count: number): number => median(entry(samples, `${policy} ${count}`))
    return {
      title: 'Time to pick a target, by the number of targets, ns',
      table: tableOf<Policy>(
        [
          { title: 'policy', of: policy => policy },
          ...TARGETS.map(count => ({
            title: String(count),
            right: true,
            of: (policy: Policy) => of(policy, count).toFixed(0),
          })),
        ],
        POLICIES,
      ),
      goals: POLICIES.map(policy => {
        const growth = of(policy, LAST) / of(policy, 2)
        return {
          text: `${policy}: ${LAST} targets cost as much as 2 (within a factor of ${FLAT_WITHIN})`,
          found: `${growth.toFixed(2)} x`,
          reached: growth <= FLAT_WITHIN,
        }
      }),
      notes: ['One pick with the begin and the end of a request. Half of the targets are busy, as under load.'],
      raw: Object.fromEntries(samples),
    }
  },
}

const ignore = (): undefined => undefined

/** A request without effect. */
function aRequest(): InFlight {
  const events = { noteAnswering: ignore, targetWentDown: ignore, targetBrokeOff: ignore, abandon: ignore }
  return { answering: false, ...events, endPoll: () => false }
}

function poolOf(balance: Policy, count: number): TargetPool {
  const pool = new TargetPool(resolveOptions({ balance }))
  for (let i = 0; i < count; i += 1) {
    const target = pool.add(String(i), { send: ignore, upgrade: ignore, close: ignore })
    target.markReady()
    if (i % 2 === 1) target.begin(aRequest())
  }
  return pool
}

function nanosPerPick(pool: TargetPool, turns: number): number {
  const request = aRequest()
  const from = performance.now()
  for (let i = 0; i < turns; i += 1) {
    const target = pool.pick()
    if (typeof target === 'string') throw new Error(`no target was picked: ${target}`)
    target.end(target.begin(request))
  }
  return ((performance.now() - from) / turns) * 1e6
}

/** Whether a request costs more when there are more workers. */
export const perWorkers: Workload = {
  name: 'workers',
  async run(context) {
    await context.stopFleets()
    const counts = context.quick ? [1, 2] : [1, 2, 4, 8]
    const { ours } = context
    if (ours.length === 0) return { skipped: 'Outpost is not among the peers of this run' }
    const running = new Map<string, Running>()
    for (const peer of ours) {
      for (const workers of counts) {
        running.set(`${peer.name} ${workers}`, await peer.start(await context.startOptions({ workers })))
      }
    }
    const load = (subject: string, seconds: number): LoadPlan => {
      return { origin: entry(running, subject).origin, path: '/health', connections: 64, seconds }
    }
    for (const subject of running.keys()) await loadAtFullSpeed(load(subject, context.quick ? 0.3 : 2))
    const samples = await context.alternate([...running.keys()], async (subject, round) => {
      const family = familyOf(entry(running, subject).elders)
      const before = cpuMicros(family)
      const figures = await loadAtFullSpeed(load(subject, context.seconds))
      const cpuPerRequest = (cpuMicros(family) - before) / figures.requests
      const perSecond = Math.round(figures.perSecond)
      context.sayRound(round, subject, `${Math.round(cpuPerRequest)} us of processor a request  ${perSecond}/s`)
      return { ...figures, cpuPerRequest }
    })
    await Promise.all([...running.values()].map(each => each.stop()))
    const middle = (name: string, workers: number): number =>
      median(entry(samples, `${name} ${workers}`).map(each => each.cpuPerRequest))
    return {
      title: 'Processor time of one GET /health, by the number of workers, µs',
      table: tableOf<string>(
        [
          { title: 'peer', of: name => name },
          ...counts.map(workers => ({
            title: `${workers} workers`,
            right: true,
            of: (name: string) => middle(name, workers).toFixed(0),
          })),
        ],
        ours.map(({ name }) => name),
      ),
      goals: [],
      notes: [`On ${context.workers} cores. More workers than cores share them.`],
      raw: Object.fromEntries(samples),
    }
  },
}
