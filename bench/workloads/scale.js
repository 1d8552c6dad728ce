import { loadAtFullSpeed } from '../lib/load.js'
import { cpuMicros, familyOf } from '../lib/proc.js'
import { median } from '../lib/stats.js'

const TARGETS = [1, 2, 4, 8, 16, 32, 64]
/** "Flat" leaves room for what one cache line more costs. */
const FLAT_WITHIN = 2

/** What it costs to choose a target and to give it back: in the library itself, without a request. */
export const pickCost = {
  name: 'pick',
  async run(context) {
    const { TargetPool } = await import('../../dist/balancer/targets/target-pool.js')
    const { resolveOptions } = await import('../../dist/balancer/options.js')
    const policies = ['round-robin', 'least-busy']
    const turns = context.quick ? 20_000 : 300_000
    const cells = policies.flatMap(policy => TARGETS.map(count => `${policy} ${count}`))
    const pools = new Map(cells.map(cell => [cell, poolOf(TargetPool, resolveOptions, cell)]))
    for (const pool of pools.values()) nanosPerPick(pool, turns)
    const samples = await context.alternate(cells, cell => Promise.resolve(nanosPerPick(pools.get(cell), turns)))
    const of = (policy, count) => median(samples.get(`${policy} ${count}`))
    const last = TARGETS.at(-1)
    return {
      title: 'Picking one of so many targets, ns',
      columns: [
        { title: 'policy', of: policy => policy },
        ...TARGETS.map(count => ({ title: String(count), right: true, of: policy => of(policy, count).toFixed(0) })),
      ],
      rows: policies,
      goals: policies.map(policy => {
        const growth = of(policy, last) / of(policy, 2)
        return {
          text: `${policy}: ${last} targets cost as much as 2 (within a factor of ${FLAT_WITHIN})`,
          found: `${growth.toFixed(2)} x`,
          reached: growth <= FLAT_WITHIN,
        }
      }),
      notes: ['One pick, one request begun and ended; half of the targets busy, as under load.'],
      raw: Object.fromEntries(samples),
    }
  },
}

function poolOf(TargetPool, resolveOptions, cell) {
  const [balance, count] = cell.split(' ')
  const pool = new TargetPool(resolveOptions({ balance }))
  for (let i = 0; i < Number(count); i += 1) {
    const target = pool.add(String(i), { send() {}, upgrade() {}, close() {} })
    target.markReady()
    if (i % 2 === 1) target.begin({ targetWentDown() {} })
  }
  return pool
}

function nanosPerPick(pool, turns) {
  const request = { targetWentDown() {} }
  const from = performance.now()
  for (let i = 0; i < turns; i += 1) {
    const target = pool.pick()
    target.begin(request)
    target.end(request)
  }
  return ((performance.now() - from) / turns) * 1e6
}

/** Whether a request costs more when there are more workers. */
export const perWorkers = {
  name: 'workers',
  async run(context) {
    await context.stopFleets()
    const counts = context.quick ? [1, 2] : [1, 2, 4, 8]
    const ours = context.peers.filter(({ name }) => name.startsWith('outpost'))
    if (ours.length === 0) return { skipped: 'Outpost is not among the peers of this run' }
    const running = new Map()
    for (const peer of ours) {
      for (const workers of counts) {
        running.set(`${peer.name} ${workers}`, await peer.start(await context.startOptions({ workers })))
      }
    }
    const load = subject => ({ origin: running.get(subject).origin, path: '/health', connections: 64 })
    for (const subject of running.keys()) await loadAtFullSpeed({ ...load(subject), seconds: context.quick ? 0.3 : 2 })
    const samples = await context.alternate([...running.keys()], async (subject, round) => {
      const family = familyOf(running.get(subject).elders)
      const before = cpuMicros(family)
      const figures = await loadAtFullSpeed({ ...load(subject), seconds: context.seconds })
      const cpuPerRequest = (cpuMicros(family) - before) / figures.requests
      context.say(
        `  round ${round + 1}  ${subject.padEnd(22)} ${Math.round(cpuPerRequest)} us of processor a request` +
          `  ${Math.round(figures.perSecond)}/s`,
      )
      return { ...figures, cpuPerRequest }
    })
    await Promise.all([...running.values()].map(each => each.stop()))
    const middle = (name, workers) => median(samples.get(`${name} ${workers}`).map(each => each.cpuPerRequest))
    return {
      title: 'Processor time of one GET /health with so many workers, µs',
      columns: [
        { title: 'peer', of: ({ name }) => name },
        ...counts.map(workers => ({
          title: `${workers} workers`,
          right: true,
          of: ({ name }) => middle(name, workers).toFixed(0),
        })),
      ],
      rows: ours,
      goals: [],
      notes: [`On ${context.workers} cores: more workers than cores share them.`],
      raw: Object.fromEntries(samples),
    }
  },
}
