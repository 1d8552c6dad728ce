import { resolveOptions } from '#balancer/options.js'
import type { InFlight } from '#balancer/targets/in-flight.js'
import { TargetPool } from '#balancer/targets/target-pool.js'
import { entry } from '../lib/entry.js'
import type { Context } from '../lib/context.js'
import { costAtFullSpeed, loadAtFullSpeed, type CostFigures } from '../lib/load.js'
import { numbers, tableOf } from '../lib/report.js'
import { median } from '../lib/stats.js'
import type { Peer, Running, StartOptions } from '../peers/peer.js'
import type { Workload } from './workload.js'

const TARGETS = [1, 2, 4, 8, 16, 32, 64] as const
const LAST = 64
const ROUNDS_AT_MOST = 2
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
          ...TARGETS.map(count => numbers(String(count), (policy: Policy) => of(policy, count))),
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
      notes: ['One pick with the start and the end of a request. Half of the targets are busy, as under load.'],
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
    const target = pool.add(String(i), { send: ignore, upgrade: ignore, ping: () => false, close: ignore })
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

/** The peer with the least cost of more processes than cores. */
const FLOOR = 'bare-cluster'

/** Whether a request costs more when there are more workers. */
export const perWorkers = perProcesses('workers', [FLOOR, 'outpost', 'outpost-mesh'], [1, 2, 8, 64], (peer, workers) =>
  peer.start({ ...workers.options, workers: workers.count }),
)

/** Whether a request costs more when there are more balancers. */
export const perBalancers = perProcesses('balancers', ['outpost'], [1, 2, 4, 8], (peer, { count, options }) =>
  peer.start({ ...options, env: { BALANCERS: String(count) } }),
)

interface Sized {
  count: number
  options: StartOptions
}

/** The processor time of a request by the number of processes of one kind. Each size runs alone. */
function perProcesses(
  kind: 'workers' | 'balancers',
  measured: readonly string[],
  counts: readonly number[],
  start: (peer: Peer, sized: Sized) => Promise<Running>,
): Workload {
  return {
    name: kind,
    async run(context) {
      await context.stopFleets()
      const sizes = context.quick ? counts.slice(0, 2) : counts
      const peers = context.peers.filter(({ name }) => measured.includes(name))
      if (peers.length === 0) return { skipped: 'none of its peers is in this run' }
      const subjects = new Map(
        peers.flatMap(peer => sizes.map(count => [`${peer.name} ${count}`, { peer, count }] as const)),
      )
      const options = await context.startOptions()
      const measure = async (subject: string, round: number): Promise<CostFigures> => {
        const { peer, count } = entry(subjects, subject)
        const running = await start(peer, { count, options })
        try {
          const figures = await costOf(running, count, context)
          const { cpuPerRequest, perSecond } = figures
          const each = `${Math.round(cpuPerRequest)} us of processor a request  ${Math.round(perSecond)}/s`
          context.sayRound(round, subject, each)
          return figures
        } finally {
          await running.stop()
        }
      }
      const rounds = Math.min(context.rounds, ROUNDS_AT_MOST)
      const samples = await context.alternate([...subjects.keys()], measure, rounds)
      const middle = (peer: string, count: number): number =>
        median(entry(samples, `${peer} ${count}`).map(each => each.cpuPerRequest))
      return {
        title: `Processor time of one GET /health, by the number of ${kind}, µs`,
        table: tableOf<string>(
          [
            { title: 'peer', of: peer => peer },
            ...sizes.map(count => numbers(`${count} ${kind}`, (peer: string) => middle(peer, count))),
          ],
          peers.map(({ name }) => name),
        ),
        goals: peers
          .filter(({ name }) => name !== FLOOR && peers.some(peer => peer.name === FLOOR))
          .map(({ name }) => {
            const most = sizes.at(-1) ?? 1
            const growth = (of: string): number => middle(of, most) / middle(of, 1)
            return {
              text: `${name}: from 1 to ${most} ${kind}, the cost grows no more than that of ${FLOOR}, ${growth(FLOOR).toFixed(1)} x`,
              found: `${growth(name).toFixed(1)} x`,
              reached: growth(name) <= growth(FLOOR),
            }
          }),
        notes: [
          `On ${context.workers} cores. More processes than cores share them, and each compiles its code for itself.`,
        ],
        raw: Object.fromEntries(samples),
      }
    },
  }
}

/** Each process is warmed up alike: a load as long for each of them. */
async function costOf(running: Running, processes: number, { quick, seconds }: Context): Promise<CostFigures> {
  const plan = { origin: running.origin, path: '/health', connections: Math.max(64, 2 * processes) }
  await loadAtFullSpeed({ ...plan, seconds: quick ? 0.3 : Math.min(40, 2 + processes) })
  return costAtFullSpeed({ ...plan, seconds }, running.elders)
}
