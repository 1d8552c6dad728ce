/**
 * Shows where a peer spends its time: node dist/bench/profile.js [--peer outpost] [--path /health] [--seconds 5]
 * Starts it with --cpu-prof in each of its Node processes, loads it, and prints each busy process' own time by
 * function and by file. The profiles themselves stay in bench/results/, for the browser's own viewer.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { loadAtFullSpeed } from './lib/load.js'
import { entry } from './lib/entry.js'
import { benchFolder } from './lib/paths.js'
import { startRedis } from './lib/redis.js'
import { peers } from './peers/index.js'

const SHOWN = 40

/** A profile of `--cpu-prof`, as far as it is read here; times in microseconds. */
const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
})

const { values } = parseArgs({
  options: {
    peer: { type: 'string', default: 'outpost' },
    path: { type: 'string', default: '/health' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '64' },
    app: { type: 'string', default: 'bench' },
    workers: { type: 'string', default: '2' },
  },
})
const peer = peers.find(({ name }) => name === values.peer)
if (peer === undefined) throw new Error(`no such peer: ${values.peer}`)
const directory = fileURLToPath(new URL(`results/profiles-${values.peer}-${Date.now()}`, benchFolder))
fs.mkdirSync(directory, { recursive: true })
const redis = await startRedis()
const nodeArguments = ['--cpu-prof', `--cpu-prof-dir=${directory}`]
const running = await peer.start({
  workers: Number(values.workers),
  redisUrl: redis.url,
  node: process.execPath,
  app: values.app === 'built-in' ? 'built-in' : 'bench',
  nodeArguments,
})
const load = { origin: running.origin, path: values.path, connections: Number(values.connections) }
const { requests } = await loadAtFullSpeed({ ...load, seconds: Number(values.seconds) })
await running.stop()
await redis.stop()
for (const file of fs.readdirSync(directory)) summarize(path.join(directory, file))
process.exit(0)

function summarize(file: string): void {
  const { nodes, samples, timeDeltas } = profileSchema.parse(JSON.parse(fs.readFileSync(file, 'utf8')))
  const byId = new Map(nodes.map(node => [node.id, { ...node, self: 0 }]))
  samples.forEach((id, i) => (entry(byId, id).self += timeDeltas[i] ?? 0))
  const functions = new Map<string, number>()
  const files = new Map<string, number>()
  let busy = 0
  for (const { callFrame, self } of byId.values()) {
    const { functionName, url, lineNumber } = callFrame
    if (['(idle)', '(root)'].includes(functionName)) continue
    busy += self
    const where = shortened(url)
    const name = `${functionName || '(anonymous)'}  ${where}:${lineNumber + 1}`
    functions.set(name, (functions.get(name) ?? 0) + self)
    files.set(where, (files.get(where) ?? 0) + self)
  }
  process.stdout.write(
    `\n${path.basename(file)}: busy ${Math.round(busy / 1e3)} ms, ${Math.round(busy / requests)} us a request\n`,
  )
  const show = (title: string, counts: ReadonlyMap<string, number>): void => {
    process.stdout.write(`  ${title}\n`)
    const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, SHOWN)
    for (const [name, self] of sorted)
      process.stdout.write(`  ${((100 * self) / busy).toFixed(1).padStart(6)} %  ${name}\n`)
  }
  show('by function', functions)
  show('by file', files)
}

function shortened(url: string): string {
  return url.replace(/^.*\/node_modules\//, '').replace(/^file:.*\/(dist|bench)\//, '$1/') || '(native)'
}
