/**
 * Measures Outpost side by side with its alternatives, in one run on one machine.
 *
 *   npm run bench                             everything, some 45 minutes
 *   npm run bench -- --quick                  some four minutes; checks that every part works, its figures mean nothing
 *   npm run bench -- --only health,me         these workloads
 *   npm run bench -- --peers outpost,haproxy  these peers
 *   npm run bench -- --upload-mib 256         smaller uploads, for a disk without room for four of 1 GiB
 *   npm run bench -- --node 22                runs the peers on another Node: a major version or a path; 24 by default
 *   npm run bench -- --publish                puts the figures into docs/performance.md
 *
 * To be fair, every peer serves the same app (servers/app.js) with as many workers as there are cores, under
 * NODE_ENV=production, with one Redis for all. Only the sign-in storm runs Outpost's own app, and says so. Rounds
 * alternate between the peers, and ratios are taken within a round. The load comes from the same machine, so a peer
 * that needs less processor time leaves more to its load, just as it leaves more to the app.
 *
 * Everything is on loopback and in one temporary folder. Processes are ended by id when the run ends or is aborted.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { chartOf, type Panel } from './lib/chart.js'
import { chosenNode } from './lib/chosen-node.js'
import { BASELINE, Context, type Plan } from './lib/context.js'
import { closedLoopTool } from './lib/load.js'
import { machineFacts, type Machine } from './lib/machine.js'
import { benchFolder } from './lib/paths.js'
import { CHART, publish } from './lib/publish.js'
import { markdownOf, plainOf } from './lib/report.js'
import { workloads } from './workloads/index.js'
import type { Workload } from './workloads/workload.js'

/** The longest duration of a run, even on a slow machine. */
const LIMIT_MS = { quick: 12 * 60_000, full: 120 * 60_000 }

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      peers: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'upload-mib': { type: 'string' },
      node: { type: 'string' },
      publish: { type: 'boolean', default: false },
    },
  })
  const chosen = choose(values.only)
  const late = (): void => {
    process.stderr.write('bench: the run took too long\n')
    process.exit(1)
  }
  setTimeout(late, values.quick ? LIMIT_MS.quick : LIMIT_MS.full).unref()
  install()
  const plan: Plan = {
    quick: values.quick,
    rounds: Number(values.rounds ?? (values.quick ? 1 : 7)),
    seconds: Number(values.seconds ?? (values.quick ? 0.5 : 3)),
    only: values.peers?.split(','),
    uploadBytes: values['upload-mib'] === undefined ? undefined : Number(values['upload-mib']) * 2 ** 20,
    node: chosenNode(values.node),
  }
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const machine = machineFacts(plan.node)
  say(`${machine.cores} cores, load by ${closedLoopTool()}, ${plan.rounds} rounds of ${plan.seconds} s`)
  const context = new Context(plan, say)
  const broken: string[] = []
  for (const { name, run } of chosen) {
    say(`\n${name}`)
    try {
      const outcome = await run(context)
      context.outcomes.set(name, outcome)
      say('skipped' in outcome ? `  skipped: ${outcome.skipped}` : plainOf(outcome))
    } catch (error) {
      broken.push(`${name}: ${(error as Error).message}`)
      say(`  BROKEN: ${String((error as Error).stack)}`)
    }
  }
  await context.stop()
  await save(context, machine, plan, values.publish)
  if (broken.length === 0) return
  throw new Error(`${broken.length} of ${chosen.length} workloads could not be measured\n${broken.join('\n')}`)
}

function choose(only: string | undefined): readonly Workload[] {
  if (only === undefined) return workloads
  const names = only.split(',')
  const known = workloads.map(({ name }) => name)
  const unknown = names.filter(name => !known.includes(name))
  if (unknown.length > 0) throw new Error(`no such workload: ${unknown.join(', ')}; there are ${known.join(', ')}`)
  return workloads.filter(({ name }) => names.includes(name))
}

/** Installs packages at the first run and after a change of the lockfile. Without a registry, their peers are left out. */
function install(): void {
  const mark = new URL('node_modules/.package-lock.json', benchFolder)
  const lock = new URL('package-lock.json', benchFolder)
  if (fs.existsSync(mark) && fs.statSync(mark).mtimeMs >= fs.statSync(lock).mtimeMs) return
  process.stdout.write("installing the bench's own packages\n")
  const { status } = spawnSync('npm', ['ci', '--loglevel=error'], {
    cwd: benchFolder,
    stdio: 'inherit',
    timeout: 180_000,
  })
  if (status === 0) fs.utimesSync(mark, new Date(), new Date())
}

async function save({ outcomes, leftOut }: Context, machine: Machine, plan: Plan, publishing: boolean): Promise<void> {
  const { rounds, seconds } = plan
  const panels = [...outcomes.values()].filter((outcome): outcome is Panel & typeof outcome => 'bars' in outcome)
  const svg = panels.length === 0 ? undefined : chartOf(panels, BASELINE)
  const chart = svg === undefined ? undefined : CHART
  const markdown = markdownOf({ outcomes, leftOut, machine, rounds, seconds, chart })
  const raw = Object.fromEntries(
    [...outcomes].map(([name, outcome]) => {
      return [name, 'skipped' in outcome ? outcome : { goals: outcome.goals, raw: outcome.raw }]
    }),
  )
  const results = new URL('results/', benchFolder)
  fs.mkdirSync(results, { recursive: true })
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const write = (suffix: string, text: string): void => fs.writeFileSync(new URL(`${stamp}${suffix}`, results), text)
  write('.json', `${JSON.stringify({ at: stamp, machine, ...plan, leftOut, outcomes: raw }, undefined, 2)}\n`)
  write('.md', markdown)
  if (svg !== undefined) write('.svg', svg)
  process.stdout.write(`\nbench/results/${stamp}.json, .md, .svg\n`)
  if (publishing) await publish(markdown, svg)
}

try {
  await main()
  process.exit(0)
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`)
  process.exit(1)
}
