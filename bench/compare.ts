/**
 * Two builds of Outpost against each other: node dist/bench/compare.js DIR DIR [--mode outpost|outpost-mesh] [--rounds N]
 * where each DIR is a built checkout. Both are loaded at the same time, so other work on the machine disturbs both
 * alike. Compare the processor time of a request by role. The rates mean little, because the builds compete.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import { cpuMicros, familyOf, titleOf } from '#scripts/lib/proc.js'
import { loadAtFullSpeed } from './lib/load.js'
import { startRedis } from './lib/redis.js'
import { median, medianRatio } from './lib/stats.js'
import { outpostFrom } from './peers/outpost.js'
import type { Running } from './peers/peer.js'

/** Figures by name, e.g. `rate` or the processor time of a role. */
type Measures = Record<string, number>

interface Build {
  directory: string
  running: Running
  rounds: Measures[]
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mode: { type: 'string', default: 'outpost' },
    rounds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '16' },
    seconds: { type: 'string', default: '2' },
    path: { type: 'string', default: '/health' },
    workers: { type: 'string', default: '2' },
    app: { type: 'string', default: 'bench' },
  },
})
const redis = await startRedis()
const balancers = values.mode === 'outpost-mesh' ? 0 : 1
const builds: Build[] = []
for (const directory of positionals) {
  const program = path.resolve(directory, 'dist/main.js')
  const peer = outpostFrom(program, `${values.mode}-${builds.length}`, directory, balancers)
  const app = values.app === 'built-in' ? 'built-in' : 'bench'
  const options = { workers: Number(values.workers), redisUrl: redis.url, node: process.execPath, app } as const
  const running = await peer.start(options)
  builds.push({ directory, running, rounds: [] })
}

for (let round = -1; round < Number(values.rounds); round += 1) {
  // The first round warms up.
  const measured = await Promise.all(builds.map(({ running }) => measure(running)))
  if (round >= 0) builds.forEach(({ rounds }, i) => rounds.push(measured[i] ?? {}))
}

async function measure({ elders, origin }: Running): Promise<Measures> {
  const roles = byRole(elders)
  const before = roles.map(({ pids }) => cpuMicros(pids))
  const plan = { origin, path: values.path, connections: Number(values.connections), seconds: Number(values.seconds) }
  const { perSecond, p99, requests } = await loadAtFullSpeed(plan)
  const cpu = roles.map(({ role, pids }, i) => [role, (cpuMicros(pids) - (before[i] ?? 0)) / requests] as const)
  return { rate: perSecond, p99, ...Object.fromEntries(cpu) }
}

const [first] = builds
const measures = Object.keys(first?.rounds[0] ?? {})
for (const { directory, rounds } of builds) {
  const cells = measures.map(measure => {
    const ratio = medianRatio(valuesOf(rounds, measure), valuesOf(first?.rounds ?? [], measure))
    return `${measure} ${median(valuesOf(rounds, measure)).toFixed(1)} (${ratio.toFixed(3)} x)`
  })
  process.stdout.write(`${directory}  ${cells.join('  ')}\n`)
}
for (const { running } of builds) await running.stop()
await redis.stop()
process.exit(0)

function valuesOf(rounds: readonly Measures[], measure: string): number[] {
  return rounds.map(each => each[measure] ?? Number.NaN)
}

/** The processes of an Outpost, told apart by their titles. */
function byRole(elders: readonly number[]): Array<{ role: string; pids: number[] }> {
  const roles = new Map<string, number[]>()
  for (const pid of familyOf(elders)) {
    const role = /^outpost (\w+)/.exec(titleOf(pid))?.[1]
    if (role === undefined || role === 'primary') continue
    roles.set(role, [...(roles.get(role) ?? []), pid])
  }
  return [...roles].map(([role, pids]) => ({ role, pids }))
}
