/**
 * Loads a running Outpost, breaks parts of it on request, and counts the losses of its clients: every answer is
 * checked, and every acknowledged write is looked for at the end. Exits with 1 on any loss outside the promise, and
 * when a requested fault was never caused.
 *
 *   npm run load-test -- --url http://localhost:3000 --duration 30 --connections 32 --chaos kill-worker
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { StartedOutpost } from './lib/started-outpost.js'
import { allowanceOf, chaosKinds, damage, type ChaosKind } from './load-test/chaos.js'
import { Mix, UnfitServiceError } from './load-test/mix.js'
import { PatientClient } from './load-test/patient-client.js'
import { Tally, type Figures } from './load-test/tally.js'

const USAGE = `usage: npm run load-test -- --url U [--duration S] [--connections N] [--writers N] [--chaos KIND,…] [--every S] [--json]
       npm run load-test -- --compare-workers 1,2 [--duration S] [--connections N] [--json]
KIND: ${chaosKinds.join(', ')}. Chaos needs an Outpost of this machine, started with RATE_LIMIT_MAX=0.
`

interface Plan {
  url: URL
  seconds: number
  connections: number
  writers: number
  chaos: ChaosKind[]
  everySeconds: number
  quiet: boolean
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      duration: { type: 'string', default: '20' },
      connections: { type: 'string', default: '16' },
      writers: { type: 'string', default: '2' },
      chaos: { type: 'string', default: '' },
      every: { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
      'compare-workers': { type: 'string' },
    },
  })
  const plan = {
    seconds: positive(values.duration),
    connections: positive(values.connections),
    writers: Number(values.writers),
    chaos: values.chaos
      .split(',')
      .filter(kind => kind !== '')
      .map(chaosKind),
    everySeconds: positive(values.every),
    quiet: values.json,
  }
  if (values['compare-workers'] !== undefined) {
    return compareWorkers(values['compare-workers'].split(',').map(positive), plan, values.json)
  }
  if (values.url === undefined) throw new Error('--url is missing')
  const figures = await run({ ...plan, url: new URL(values.url) })
  process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : report(figures))
  const neverDone = Object.entries(figures.faults).filter(([, times]) => times === 0)
  for (const [fault] of neverDone)
    process.stderr.write(`${fault} was never caused: this run proves nothing about it, use a longer --duration\n`)
  return figures.outcomes.lost === 0 && neverDone.length === 0 ? 0 : 1
}

async function run(plan: Plan): Promise<Figures> {
  const tally = new Tally(plan.chaos)
  const mix = new Mix(plan.url, tally, allowanceOf(plan.chaos))
  await mix.prepare()
  const until = performance.now() + plan.seconds * 1_000
  const clients = Array.from({ length: plan.connections }, () => new PatientClient(plan.url))
  const loops = clients.map(async (client, index) => {
    while (performance.now() < until) await (index < plan.writers ? mix.write(client) : mix.read(client))
    client.close()
  })
  const progress = setInterval(() => {
    if (!plan.quiet) process.stderr.write(`\r${tally.requests} requests, ${tally.figures().outcomes.lost} lost `)
  }, 1_000)
  try {
    await Promise.all([...loops, breakThings(plan, until, tally)])
  } finally {
    clearInterval(progress)
  }
  if (!plan.quiet) process.stderr.write('\n')
  const figures = tally.figures()
  await mix.verify()
  const checked = tally.figures()
  return { ...checked, requests: figures.requests, seconds: figures.seconds, perSecond: figures.perSecond }
}

async function breakThings({ chaos, everySeconds, url }: Plan, until: number, tally: Tally): Promise<void> {
  for (let turn = 0; chaos.length > 0; turn += 1) {
    await sleep(everySeconds * 1_000)
    // The last one is over, and mended, before the load ends.
    if (performance.now() > until - everySeconds * 1_000) return
    const kind = chaos[turn % chaos.length] as ChaosKind
    if (await damage(kind, Number(url.port))) tally.faultDone(kind)
  }
}

/** Throughput by the number of workers: an Outpost of its own for each, one after the other. */
async function compareWorkers(counts: number[], plan: Omit<Plan, 'url'>, json: boolean): Promise<number> {
  const rows: Array<{ workers: number; figures: Figures }> = []
  for (const workers of counts) {
    const outpost = await StartedOutpost.start({ WORKERS: String(workers), EXPOSE_WORKER: '1' })
    try {
      rows.push({ workers, figures: await run({ ...plan, url: new URL(outpost.url) }) })
    } finally {
      await outpost.stop()
    }
  }
  const first = rows[0]?.figures.perSecond ?? 1
  const lines = rows.map(({ workers, figures: { perSecond, latency } }) => {
    return `${String(workers).padStart(7)} workers ${String(perSecond).padStart(7)}/s  x ${(perSecond / first).toFixed(2)}  p99 ${latency.p99} ms`
  })
  process.stdout.write(json ? `${JSON.stringify(rows)}\n` : `${lines.join('\n')}\n`)
  return rows.every(({ figures }) => figures.outcomes.lost === 0) ? 0 : 1
}

function report(figures: Figures): string {
  const { latency, outcomes, byKind, byWorker, reasons, faults } = figures
  const rows = Object.entries(byKind).map(([kind, { good, shed, allowed, lost }]) => {
    return `  ${kind.padEnd(16)} ${String(good).padStart(9)} good ${String(shed).padStart(6)} shed ${String(allowed).padStart(6)} allowed ${String(lost).padStart(6)} lost`
  })
  const workers = Object.entries(byWorker).map(
    ([worker, count]) => `  worker ${worker.padEnd(9)} ${String(count).padStart(9)}`,
  )
  const why = Object.entries(reasons).map(([reason, count]) => `  ${String(count).padStart(7)} x ${reason}`)
  return [
    `${figures.requests} requests in ${figures.seconds} s, ${figures.perSecond}/s`,
    `latency p50 ${latency.p50} ms, p99 ${latency.p99} ms, p99.9 ${latency.p999} ms, max ${latency.max} ms`,
    ...rows,
    ...workers,
    ...Object.entries(faults).map(([fault, times]) => `${fault}: ${times} times`),
    ...(why.length === 0 ? [] : ['not good:', ...why]),
    `${outcomes.lost} lost`,
    '',
  ].join('\n')
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new Error(`a positive number is needed, not "${text}"`)
  return value
}

function chaosKind(text: string): ChaosKind {
  const kind = chaosKinds.find(known => known === text)
  if (kind === undefined) throw new Error(`unknown chaos "${text}"`)
  return kind
}

try {
  process.exitCode = await main()
} catch (error) {
  const usage = error instanceof UnfitServiceError ? '' : USAGE
  process.stderr.write(`load-test: ${(error as Error).message}\n${usage}`)
  process.exit(2) // its clients may still wait for answers
}
