import { askJson, ask } from '../lib/net.js'
import { loadAtFullSpeed } from '../lib/load.js'
import { cpuMicros, familyOf } from '../lib/proc.js'
import { median, summarize } from '../lib/stats.js'
import { BASELINE, ratioGoal } from '../lib/context.js'

const CONNECTIONS = 64

export const health = throughput({
  name: 'health',
  title: `GET /health, ${CONNECTIONS} connections`,
  path: '/health',
  goals: samples => [
    ratioGoal(samples, 'outpost', 'pm2-nginx', 1.4),
    ratioGoal(samples, 'outpost', 'bare-http-proxy', 0.9),
    ratioGoal(samples, 'outpost-mesh', 'bare-cluster', 0.9),
    ratioGoal(samples, 'outpost-mesh', 'nginx-tuned', 1.2),
  ],
})

export const me = throughput({
  name: 'me',
  title: `GET /me with a session in Redis, ${CONNECTIONS} connections`,
  path: '/me',
  prepare: signIn,
  goals: samples => [
    ratioGoal(samples, 'outpost', 'pm2-nginx', 1.3),
    ratioGoal(samples, 'outpost-mesh', 'nginx-tuned', 1.2),
  ],
})

/** Beside its peers, mesh mode is compared with its own /health in the same rounds. */
const OWN_HEALTH = 'outpost-mesh, /health'

export const products = throughput({
  name: 'products',
  title: `GET /products/:id cached in Redis, ${CONNECTIONS} connections`,
  path: '/products/1',
  extra: { [OWN_HEALTH]: { peer: 'outpost-mesh', path: '/health' } },
  goals: samples => [ratioGoal(samples, 'outpost-mesh', OWN_HEALTH, 0.7)],
})

/** How many requests of one kind each peer answers, and what one of them costs in processor time. */
function throughput({ name, title, path, prepare = () => ({}), extra = {}, goals }) {
  return {
    name,
    async run(context) {
      const fleet = await context.fleet()
      const subjects = subjectsOf(fleet, path, extra)
      for (const subject of subjects.values()) {
        subject.headers = await prepare(subject.running.origin)
        await expectGood(subject)
        // Warm: compiled, connections open, caches filled.
        await loadAtFullSpeed({ ...load(subject), seconds: context.quick ? 0.3 : 2 })
      }
      const samples = await context.alternate([...subjects.keys()], async (which, round) => {
        const subject = subjects.get(which)
        const family = familyOf(subject.running.elders)
        const before = cpuMicros(family)
        const figures = await loadAtFullSpeed({ ...load(subject), seconds: context.seconds })
        const cpuPerRequest = (cpuMicros(family) - before) / figures.requests
        context.say(
          `  round ${round + 1}  ${which.padEnd(22)} ${Math.round(figures.perSecond)}/s  p99 ${figures.p99.toFixed(1)} ms` +
            `  ${Math.round(cpuPerRequest)} us of processor a request` +
            (figures.failed > 0 ? `  ${figures.failed} FAILED` : ''),
        )
        return { ...figures, cpuPerRequest }
      })
      return outcome({ title, samples, subjects, goals: goals(samples) })
    },
  }
}

function outcome({ title, samples, subjects, goals }) {
  const base = samples.get(BASELINE) ?? [...samples.values()][0]
  const rows = [...samples].map(([subject, rounds]) => {
    const of = value => summarize(rounds.map(value), base.map(value))
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
    columns: [
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
    goals: goals.filter(goal => goal !== undefined),
    notes: [],
    raw: Object.fromEntries(samples),
    bars: rows
      .filter(({ subject }) => subjects.get(subject).path === undefined)
      .map(({ subject, perSecond }) => ({ label: subject, ...perSecond })),
  }
}

function subjectsOf(fleet, path, extra) {
  const subjects = new Map()
  for (const [name, running] of fleet) subjects.set(name, { running, request: path })
  for (const [name, { peer, path: other }] of Object.entries(extra)) {
    const running = fleet.get(peer)
    if (running !== undefined) subjects.set(name, { running, request: other, path: other })
  }
  return subjects
}

function load({ running: { origin }, request: path, headers }) {
  return { origin, path, headers, connections: CONNECTIONS }
}

async function expectGood({ running: { origin }, request: path, headers }) {
  const { status, body, error } = await ask(origin, { path, headers })
  if (status !== 200) throw new Error(`GET ${path} answers ${error ?? `${status} ${body}`}`)
}

async function signIn(origin) {
  const credentials = { username: 'bench', password: 'a bench has no secrets' }
  await askJson(origin, '/register', credentials)
  const { status, headers } = await askJson(origin, '/login', credentials)
  const cookie = headers['set-cookie']?.[0]?.split(';')[0]
  if (status !== 200 || cookie === undefined) throw new Error(`POST /login answers ${status}`)
  return { cookie }
}
