import { tryToAsk } from '#scripts/lib/http-client.js'
import { cpuMicros, familyOf } from '#scripts/lib/proc.js'
import { BASELINE, ratioGoal, ratioOf, type Samples } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { loadAtFullSpeed, type Figures, type LoadPlan } from '../lib/load.js'
import { post } from '../lib/net.js'
import { tableOf, type Goal, type Outcome } from '../lib/report.js'
import { median, summarize, type Summary } from '../lib/stats.js'
import type { Running } from '../peers/peer.js'
import type { Workload } from './workload.js'

const CONNECTIONS = 64

interface Measurement {
  name: string
  title: string
  path: string
  /** Prepares the peer. @returns headers for every request */
  prepare?: (origin: string) => Promise<Headers>
  /** More subjects: another path of a peer. */
  extra?: Record<string, { peer: string; path: string }>
  goals: (samples: Samples<Sample>) => Goal[]
}

type Headers = Record<string, string>

type Sample = Figures & { cpuPerRequest: number }

interface Subject {
  running: Running
  path: string
  headers: Headers
  /** One of the peers, with the path of this measurement. */
  charted: boolean
}

export const health = throughput({
  name: 'health',
  title: `GET /health, ${CONNECTIONS} connections`,
  path: '/health',
  goals: samples => [
    ...ratioGoal(samples, 'outpost', 'nginx-tuned', 0.75),
    ...ratioGoal(samples, 'outpost', 'bare-http-proxy', 2),
    ...ratioGoal(samples, 'outpost', 'pm2-nginx', 4),
    ...ratioGoal(samples, 'outpost-mesh', 'bare-cluster', 0.95),
    ...ratioGoal(samples, 'outpost-mesh', 'nginx-tuned', 1.5),
    ...costGoal(samples, 'outpost-mesh', 'watt', 1),
  ],
})

export const me = throughput({
  name: 'me',
  title: `GET /me with a session in Redis, ${CONNECTIONS} connections`,
  path: '/me',
  prepare: signIn,
  goals: samples => [
    ...ratioGoal(samples, 'outpost', 'nginx-tuned', 0.7),
    ...ratioGoal(samples, 'outpost-mesh', 'bare-cluster', 1),
  ],
})

/** Beside its peers, mesh mode is compared with its own /health in the same rounds. */
const OWN_HEALTH = 'outpost-mesh, /health'

export const products = throughput({
  name: 'products',
  title: `GET /products/:id cached in Redis, ${CONNECTIONS} connections`,
  path: '/products/1',
  extra: { [OWN_HEALTH]: { peer: 'outpost-mesh', path: '/health' } },
  goals: samples => [
    ...ratioGoal(samples, 'outpost', 'nginx-tuned', 0.7),
    ...ratioGoal(samples, 'outpost-mesh', 'bare-cluster', 1),
    ...ratioGoal(samples, 'outpost-mesh', OWN_HEALTH, 0.7),
  ],
})

/** Processor time of a request, of all processes of the peer. */
function costGoal(samples: Samples<Sample>, subject: string, base: string, atMost: number): Goal[] {
  const found = ratioOf(samples, subject, base, ({ cpuPerRequest }) => cpuPerRequest)
  if (found === undefined) return []
  const text = `${subject}: processor time of a request at most ${atMost.toFixed(2)} x ${base}'s`
  return [{ text, found: `${found.toFixed(2)} x`, reached: found <= atMost }]
}

/** The requests of one kind that each peer answers in a second, and the processor time of one of them. */
function throughput({ name, title, path, prepare, extra = {}, goals }: Measurement): Workload {
  return {
    name,
    async run(context) {
      const fleet = await context.fleet()
      const subjects = subjectsOf(fleet, path, extra)
      for (const subject of subjects.values()) {
        subject.headers = (await prepare?.(subject.running.origin)) ?? {}
        await expectGood(subject)
        // The warm-up compiles the code, opens connections and fills caches.
        await loadAtFullSpeed(load(subject, context.quick ? 0.3 : 5))
      }
      const samples = await context.alternate([...subjects.keys()], async (which, round) => {
        const subject = entry(subjects, which)
        const family = familyOf(subject.running.elders)
        const before = cpuMicros(family)
        const figures = await loadAtFullSpeed(load(subject, context.seconds))
        const cpuPerRequest = (cpuMicros(family) - before) / figures.requests
        context.sayRound(
          round,
          which,
          `${Math.round(figures.perSecond)}/s  p99 ${figures.p99.toFixed(1)} ms` +
            `  ${Math.round(cpuPerRequest)} us of processor a request` +
            (figures.failed > 0 ? `  ${figures.failed} FAILED` : ''),
        )
        return { ...figures, cpuPerRequest }
      })
      return outcome(title, samples, subjects, goals(samples))
    },
  }
}

interface Row {
  subject: string
  perSecond: Summary
  cpu: Summary
  p50: number
  p99: number
  failed: number
}

function outcome(
  title: string,
  samples: Samples<Sample>,
  subjects: ReadonlyMap<string, Subject>,
  goals: Goal[],
): Outcome {
  const base = samples.get(BASELINE) ?? [...samples.values()][0] ?? []
  const rows = [...samples].map(([subject, rounds]): Row => {
    const of = (value: (sample: Sample) => number): Summary => summarize(rounds.map(value), base.map(value))
    return {
      subject,
      perSecond: of(figures => figures.perSecond),
      cpu: of(figures => figures.cpuPerRequest),
      p50: median(rounds.map(figures => figures.p50)),
      p99: median(rounds.map(figures => figures.p99)),
      failed: rounds.reduce((sum, figures) => sum + figures.failed, 0),
    }
  })
  return {
    title,
    table: tableOf(
      [
        { title: 'peer', of: row => row.subject },
        { title: 'requests/s (median)', right: true, of: row => Math.round(row.perSecond.median).toLocaleString('en') },
        {
          title: 'min – max',
          right: true,
          of: row => `${Math.round(row.perSecond.min)} – ${Math.round(row.perSecond.max)}`,
        },
        { title: `x ${BASELINE}`, right: true, of: row => row.perSecond.ratio.toFixed(2) },
        { title: 'p50 ms', right: true, of: row => row.p50.toFixed(1) },
        { title: 'p99 ms', right: true, of: row => row.p99.toFixed(1) },
        { title: 'processor µs/request', right: true, of: row => String(Math.round(row.cpu.median)) },
        { title: 'failed', right: true, of: row => String(row.failed) },
      ],
      rows,
    ),
    goals,
    notes: [],
    raw: Object.fromEntries(samples),
    bars: rows
      .filter(({ subject }) => subjects.get(subject)?.charted)
      .map(({ subject, perSecond }) => ({ label: subject, ...perSecond })),
  }
}

function subjectsOf(
  fleet: ReadonlyMap<string, Running>,
  path: string,
  extra: NonNullable<Measurement['extra']>,
): Map<string, Subject> {
  const subjects = new Map<string, Subject>()
  for (const [name, running] of fleet) subjects.set(name, { running, path, headers: {}, charted: true })
  for (const [name, { peer, path: other }] of Object.entries(extra)) {
    const running = fleet.get(peer)
    if (running !== undefined) subjects.set(name, { running, path: other, headers: {}, charted: false })
  }
  return subjects
}

function load({ running: { origin }, path, headers }: Subject, seconds: number): LoadPlan {
  return { origin, path, headers, connections: CONNECTIONS, seconds }
}

async function expectGood({ running: { origin }, path, headers }: Subject): Promise<void> {
  const { status, text, error } = await tryToAsk(origin, path, { headers, timeoutMs: 10_000 })
  if (status !== 200) throw new Error(`GET ${path} answers ${error ?? `${status} ${text}`}`)
}

async function signIn(origin: string): Promise<Headers> {
  const credentials = { username: 'bench', password: 'a bench has no secrets' }
  await post(origin, '/register', credentials)
  const { status, headers } = await post(origin, '/login', credentials)
  const cookie = headers['set-cookie']?.[0]?.split(';')[0]
  if (status !== 200 || cookie === undefined) throw new Error(`POST /login answers ${status}`)
  return { cookie }
}
