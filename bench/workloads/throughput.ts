import { tryToAsk } from '#scripts/lib/http-client.js'
import { BASELINE, costGoal, ratioGoal, type Samples } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { costAtFullSpeed, loadAtFullSpeed, type CostFigures, type LoadPlan } from '../lib/load.js'
import { post } from '../lib/net.js'
import { numbers, tableOf, type Goal, type Outcome } from '../lib/report.js'
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
  goals: (samples: Samples<CostFigures>) => Goal[]
}

type Headers = Record<string, string>

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
    ...costGoal(samples, 'outpost-mesh', 'watt', 'processor time of a request', each => each.cpuPerRequest, 1),
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
        const figures = await costAtFullSpeed(load(subject, context.seconds), subject.running.elders)
        context.sayRound(
          round,
          which,
          `${Math.round(figures.perSecond)}/s  p99 ${figures.p99.toFixed(1)} ms` +
            `  ${Math.round(figures.cpuPerRequest)} us of processor a request` +
            (figures.failed > 0 ? `  ${figures.failed} FAILED` : ''),
        )
        return figures
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
  samples: Samples<CostFigures>,
  subjects: ReadonlyMap<string, Subject>,
  goals: Goal[],
): Outcome {
  const base = samples.get(BASELINE) ?? [...samples.values()][0] ?? []
  const rows = [...samples].map(([subject, rounds]): Row => {
    const of = (value: (sample: CostFigures) => number): Summary => summarize(rounds.map(value), base.map(value))
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
    table: tableOf<Row>(
      [
        { title: 'peer', of: row => row.subject },
        { title: 'requests/s (median)', right: true, of: row => Math.round(row.perSecond.median).toLocaleString('en') },
        {
          title: 'min – max',
          right: true,
          of: row => `${Math.round(row.perSecond.min)} – ${Math.round(row.perSecond.max)}`,
        },
        numbers(`x ${BASELINE}`, row => row.perSecond.ratio, 2),
        numbers('p50 ms', row => row.p50, 1),
        numbers('p99 ms', row => row.p99, 1),
        numbers('processor µs/request', row => row.cpu.median),
        numbers('failed', row => row.failed),
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
