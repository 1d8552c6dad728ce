/**
 * Two builds of Outpost against each other: node bench/compare.js DIR DIR [--mode outpost|outpost-mesh] [--rounds N]
 * where each DIR is a checkout that is built. For judging a change: all of them are loaded at the same time, so that
 * whatever else the machine does is done to all alike, and what counts is the processor time of a request by role.
 * The rates say little: the builds compete with each other.
 */
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadAtFullSpeed } from './lib/load.js'
import { cpuMicros, familyOf } from './lib/proc.js'
import { startRedis } from './lib/redis.js'
import { median } from './lib/stats.js'
import { outpostFrom } from './peers/outpost.js'

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
const builds = []
for (const directory of positionals) {
  const program = path.resolve(directory, 'dist/main.js')
  const peer = outpostFrom(program, `${values.mode}-${builds.length}`, directory, balancers)
  const running = await peer.start({ workers: Number(values.workers), redisUrl: redis.url, app: values.app })
  builds.push({ directory, running, rounds: [] })
}

for (let round = -1; round < Number(values.rounds); round += 1) {
  // The first is for warming up.
  await Promise.all(builds.map(async build => keep(build, await measure(build.running), round >= 0)))
}

function keep({ rounds }, sample, wanted) {
  if (wanted) rounds.push(sample)
}

async function measure({ elders, origin }) {
  const roles = byRole(elders)
  const before = roles.map(({ pids }) => cpuMicros(pids))
  const plan = { origin, path: values.path, connections: Number(values.connections), seconds: Number(values.seconds) }
  const { perSecond, p99, requests } = await loadAtFullSpeed(plan)
  const cpu = roles.map(({ role, pids }, i) => [role, (cpuMicros(pids) - before[i]) / requests])
  return { rate: perSecond, p99, ...Object.fromEntries(cpu) }
}

const [first] = builds
const measures = Object.keys(first.rounds[0])
for (const { directory, rounds } of builds) {
  const cells = measures.map(measure => {
    const ratio = median(rounds.map((each, i) => each[measure] / first.rounds[i][measure]))
    return `${measure} ${median(rounds.map(each => each[measure])).toFixed(1)} (${ratio.toFixed(3)} x)`
  })
  process.stdout.write(`${directory}  ${cells.join('  ')}\n`)
}
for (const { running } of builds) await running.stop()
await redis.stop()
process.exit(0)

/** The processes of an Outpost, told apart by their titles. */
function byRole(elders) {
  const roles = new Map()
  for (const pid of familyOf(elders)) {
    const title = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    const role = /^outpost (\w+)/.exec(title)?.[1]
    if (role === undefined || role === 'primary') continue
    roles.set(role, [...(roles.get(role) ?? []), pid])
  }
  return [...roles].map(([role, pids]) => ({ role, pids }))
}
