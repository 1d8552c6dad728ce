import { ratioOf } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { generate, loadAtFullSpeed, type Figures, type LoadPlan } from '../lib/load.js'
import { tableOf, type Goal } from '../lib/report.js'
import { median } from '../lib/stats.js'
import type { Workload } from './workload.js'

/** A kind of request. */
type Shape = Omit<LoadPlan, 'origin' | 'seconds'>

const KIB = 1_024
const MANY_HEADERS = Object.fromEntries(
  Array.from({ length: 100 }, (_, i) => [`X-Header-${i}`, 'a value of some length']),
)

/** The first is what the others are compared with. */
const SHAPES: Readonly<Record<string, Shape>> = {
  'GET /health': { path: '/health', connections: 64 },
  '100 headers': { path: '/health', connections: 64, headers: MANY_HEADERS },
  'keep-alive off': { path: '/health', connections: 64, headers: { connection: 'close' } },
  'body of 1 KiB': posting(KIB, 64),
  'body of 64 KiB': posting(64 * KIB, 16),
  'body of 10 MiB': posting(10 * KIB * KIB, 4),
}

/** A slow shape is measured against proxies as experts tune them. */
const BASES = ['nginx-tuned', 'haproxy'] as const
const ROUNDS_AT_MOST = 3

/** Whether a kind of request costs far more behind Outpost than the usual one does. */
export const shapes: Workload = {
  name: 'shapes',
  async run(context) {
    const fleet = await context.fleet()
    // The guide's Nginx refuses bodies over 1 MiB, and PM2 alone says nothing about a proxy.
    const names = [...fleet.keys()].filter(name => name !== 'pm2-nginx')
    const seconds = context.quick ? 0.3 : 2
    const rounds = Math.min(context.rounds, ROUNDS_AT_MOST)
    const samples = new Map<string, ReadonlyMap<string, readonly Figures[]>>()
    for (const [title, shape] of Object.entries(SHAPES)) {
      const measured = await context.alternate(
        names,
        async (name, round) => {
          const found = await load({ ...shape, origin: entry(fleet, name).origin, seconds })
          context.sayRound(round, name, `${title}: ${Math.round(found.perSecond)}/s, ${found.failed} failed`)
          return found
        },
        rounds,
      )
      samples.set(title, measured)
    }
    const base = BASES.find(name => fleet.has(name))
    return {
      title: 'Kinds of requests, requests/s',
      table: tableOf(
        [
          { title: 'peer', of: name => name },
          ...[...samples].map(([title, measured]) => ({
            title,
            right: true,
            of: (name: string) =>
              Math.round(median(entry(measured, name).map(each => each.perSecond))).toLocaleString('en'),
          })),
        ],
        names,
      ),
      goals: base === undefined ? [] : goalsOf(samples, base),
      notes: [],
      raw: Object.fromEntries([...samples].map(([title, measured]) => [title, Object.fromEntries(measured)])),
    }
  },
}

/** No kind of request does worse, against the same peer, than half as well as the usual one. */
function goalsOf(samples: ReadonlyMap<string, ReadonlyMap<string, readonly Figures[]>>, base: string): Goal[] {
  const [[, usual] = ['', undefined], ...others] = [...samples]
  if (usual === undefined) return []
  const against = (measured: ReadonlyMap<string, readonly Figures[]>, subject: string): number | undefined =>
    ratioOf(measured, subject, base, ({ perSecond }) => perSecond)
  return ['outpost', 'outpost-mesh'].flatMap(subject => {
    const least = (against(usual, subject) ?? 0) / 2
    return others.flatMap(([title, measured]) => {
      const found = against(measured, subject)
      if (found === undefined) return []
      const text = `${subject}, ${title}: at least half of its ratio to ${base} for GET /health, ${least.toFixed(2)} x`
      return [{ text, found: `${found.toFixed(2)} x`, reached: found >= least }]
    })
  })
}

function posting(bytes: number, connections: number): Shape {
  return { path: '/sink', method: 'POST', bodyBytes: bytes, connections }
}

/** wrk sends no bodies here. */
function load(plan: LoadPlan): Promise<Figures> {
  return plan.bodyBytes === undefined ? loadAtFullSpeed(plan) : generate(plan)
}
