import bcrypt from 'bcrypt'
import { oursIn, ratioOf, type Samples } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { generate, type Figures } from '../lib/load.js'
import { post } from '../lib/net.js'
import { numbers, type Goal } from '../lib/report.js'
import { median } from '../lib/stats.js'
import type { Running } from '../peers/peer.js'
import { medians, tableOfRounds, totals, type Row, type Workload } from './workload.js'

const AT_ONCE = 32
const HEALTH_RATE = 100
const MAX_HEALTH_P99_MS = 50
const CREDENTIALS = { username: 'storm', password: 'a bench has no secrets' }
/** Not a peer: the rate of the cores when they only hash. */
const CEILING = 'bcrypt alone'

interface Sample {
  perSecond: number
  failed: number
  reasons: Figures['reasons']
  /** The figures of GET /health in the meantime; missing for bcrypt alone. */
  health?: Figures
}

/**
 * More sign-ins than the cores can hash, and a client that only asks for /health. Outpost runs its own app here, since
 * that is where it shares the cores out; the others run the guide's way of signing in.
 */
export const loginStorm: Workload = {
  name: 'login-storm',
  async run(context) {
    const fleet = await context.fleet('built-in')
    for (const { origin } of fleet.values()) await post(origin, '/register', CREDENTIALS)
    const seconds = context.quick ? 1 : context.seconds + 2
    const samples = await context.alternate([CEILING, ...fleet.keys()], async (name, round) => {
      const figures =
        name === CEILING ? await hashAlone(context.workers, seconds) : await storm(entry(fleet, name), seconds)
      context.sayRound(
        round,
        name,
        `${figures.perSecond.toFixed(1)} logins/s` +
          (figures.health === undefined ? '' : `  /health p99 ${figures.health.p99.toFixed(1)} ms`) +
          (figures.failed > 0 ? `  ${figures.failed} refused ${JSON.stringify(figures.reasons)}` : ''),
      )
      return figures
    })
    return {
      title: `Login storm: ${AT_ONCE} sign-ins at once (bcrypt, cost 10), /health meanwhile at ${HEALTH_RATE}/s`,
      table: tableOfRounds(samples, [
        medians('logins/s (median)', ({ perSecond }) => perSecond, 1),
        numbers(`x ${CEILING}`, ({ name }) => ratio(samples, name), 2),
        { title: '/health p50 ms', right: true, of: row => healthOf(row, 'p50') },
        { title: '/health p99 ms', right: true, of: row => healthOf(row, 'p99') },
        totals('refused', ({ failed }) => failed),
      ]),
      goals: oursIn(samples).flatMap(name => goalsOf(samples, name)),
      notes: [],
      raw: Object.fromEntries(samples),
    }
  },
}

async function storm({ origin }: Running, seconds: number): Promise<Sample> {
  const login = {
    path: '/login',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(CREDENTIALS),
  }
  const [logins, health] = await Promise.all([
    generate({ origin, ...login, connections: AT_ONCE, seconds }),
    generate({ origin, path: '/health', connections: 16, seconds, rate: HEALTH_RATE }),
  ])
  return { ...logins, health }
}

async function hashAlone(atOnce: number, seconds: number): Promise<Sample> {
  const hash = await bcrypt.hash(CREDENTIALS.password, 10)
  const from = performance.now()
  const until = from + seconds * 1_000
  let done = 0
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      await bcrypt.compare(CREDENTIALS.password, hash)
      done += 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return { perSecond: done / ((performance.now() - from) / 1_000), failed: 0, reasons: {} }
}

function ratio(samples: Samples<Sample>, name: string): number {
  return ratioOf(samples, name, CEILING, each => each.perSecond) ?? Number.NaN
}

function healthOf({ rounds }: Row<Sample>, key: 'p50' | 'p99'): string {
  const figures = rounds.flatMap(({ health }) => health?.[key] ?? [])
  return figures.length === 0 ? '' : median(figures).toFixed(1)
}

function goalsOf(samples: Samples<Sample>, name: string): Goal[] {
  const share = ratio(samples, name)
  const p99 = median(entry(samples, name).flatMap(({ health }) => health?.p99 ?? []))
  return [
    { text: `${name}: logins at least 0.90 x ${CEILING}`, found: `${share.toFixed(2)} x`, reached: share >= 0.9 },
    {
      text: `${name}: p99 of /health during the storm at most ${MAX_HEALTH_P99_MS} ms`,
      found: `${p99.toFixed(1)} ms`,
      reached: p99 <= MAX_HEALTH_P99_MS,
    },
  ]
}
