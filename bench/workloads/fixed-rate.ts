import { ratioOf, type Context, type Samples } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { generate, loadAtFullSpeed, type Figures } from '../lib/load.js'
import type { Goal } from '../lib/report.js'
import type { Running } from '../peers/peer.js'
import { medians, ranges, tableOfRounds, totals, type Workload } from './workload.js'

const CONNECTIONS = 64
const SHARE_OF_SLOWEST = 0.6
const NO_WORSE_THAN = ['pm2-nginx', 'nginx-tuned', 'haproxy', 'watt']
/** Two p99s of the same thing differ by more than a few per cent from round to round. */
const TOLERANCE = 1.05
const PERCENTILES = ['p50', 'p90', 'p99', 'max'] as const

/** Latency on a machine that is busy but not full: the same rate for all, on a schedule. */
export const fixedRate: Workload = {
  name: 'fixed-rate',
  async run(context) {
    const fleet = await context.fleet()
    const rate = Math.floor((await slowestRate(context, fleet)) * SHARE_OF_SLOWEST)
    const samples = await context.alternate([...fleet.keys()], async (name, round) => {
      const { origin } = entry(fleet, name)
      const seconds = context.quick ? 1 : context.seconds + 1
      const figures = await generate({ origin, path: '/health', connections: CONNECTIONS, seconds, rate })
      context.sayRound(
        round,
        name,
        `p50 ${figures.p50.toFixed(2)}  p99 ${figures.p99.toFixed(2)} ms` +
          (figures.failed > 0 ? `  ${figures.failed} FAILED ${JSON.stringify(figures.reasons)}` : ''),
      )
      return figures
    })
    return {
      title: `GET /health at a fixed ${rate} requests/s (60 % of the slowest peer's most)`,
      table: tableOfRounds(samples, [
        ...PERCENTILES.map(key => medians(`${key} ms`, (figures: Figures) => figures[key], 2)),
        ranges('p99, min – max', ({ p99 }) => p99, 2),
        totals('failed', ({ failed }) => failed),
      ]),
      goals: ['outpost', 'outpost-mesh'].flatMap(ours =>
        NO_WORSE_THAN.flatMap(theirs => noWorse(samples, ours, theirs)),
      ),
      notes: [
        "Latency is measured from the time when a request was due, not when it was sent. Every figure includes the generator's timer resolution of 1 ms.",
      ],
      raw: Object.fromEntries(samples),
    }
  },
}

async function slowestRate(context: Context, fleet: ReadonlyMap<string, Running>): Promise<number> {
  const known = context.outcomes.get('health')
  if (known !== undefined && 'bars' in known) return Math.min(...known.bars.map(bar => bar.median))
  const found: number[] = []
  for (const { origin } of fleet.values()) {
    const plan = { origin, path: '/health', connections: CONNECTIONS, seconds: context.quick ? 0.5 : 2 }
    await loadAtFullSpeed(plan)
    found.push((await loadAtFullSpeed(plan)).perSecond)
  }
  return Math.min(...found)
}

function noWorse(samples: Samples<Figures>, ours: string, theirs: string): Goal[] {
  const ratio = ratioOf(samples, ours, theirs, figures => figures.p99)
  if (ratio === undefined) return []
  const text = `p99 of ${ours} no worse than ${theirs}'s`
  return [{ text, found: `${ratio.toFixed(2)} x`, reached: ratio <= TOLERANCE }]
}
