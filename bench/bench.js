/**
 * Outpost side by side with what its users have today, in one run, on the machine it runs on.
 *
 *   npm run bench                             everything, some 25 minutes
 *   npm run bench -- --quick                  under two minutes: whether every part works; its figures mean nothing
 *   npm run bench -- --only health,me         these workloads
 *   npm run bench -- --peers outpost,haproxy  these peers
 *   npm run bench -- --upload-mib 256         smaller uploads, where there is no room for four of a GiB
 *   npm run bench -- --publish                puts the figures into docs/performance.md
 *
 * How it stays fair: every peer serves the same app (servers/app.js) with as many workers as there are cores, under
 * NODE_ENV=production, with one Redis for all; the sign-in storm alone runs Outpost's own app, and says so. Rounds
 * alternate between the peers, ratios are taken within a round. The load comes from the same machine, so a peer that
 * uses less of it leaves more to its load, as it leaves more to the app.
 *
 * Everything is on loopback, in one temporary folder, and ended by its process id when the run ends or is broken off.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { BASELINE, Context } from './lib/context.js'
import { chartOf } from './lib/chart.js'
import { closedLoopTool } from './lib/load.js'
import { machineFacts } from './lib/machine.js'
import { CHART, publish } from './lib/publish.js'
import { markdownOf, plainOf } from './lib/report.js'
import { workloads } from './workloads/index.js'

const here = new URL('.', import.meta.url)

/** However slow the machine: no run takes longer. */
const LIMIT_MS = { quick: 8 * 60_000, full: 120 * 60_000 }

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      peers: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'upload-mib': { type: 'string' },
      publish: { type: 'boolean', default: false },
    },
  })
  const chosen = choose(values.only)
  const late = () => {
    process.stderr.write('bench: it takes too long\n')
    process.exit(1)
  }
  setTimeout(late, values.quick ? LIMIT_MS.quick : LIMIT_MS.full).unref()
  install()
  const plan = {
    quick: values.quick,
    rounds: Number(values.rounds ?? (values.quick ? 1 : 7)),
    seconds: Number(values.seconds ?? (values.quick ? 0.5 : 3)),
    only: values.peers?.split(','),
    uploadBytes: values['upload-mib'] === undefined ? undefined : Number(values['upload-mib']) * 2 ** 20,
  }
  const say = line => process.stdout.write(`${line}\n`)
  const machine = machineFacts()
  say(`${machine.cores} cores, load by ${closedLoopTool()}, ${plan.rounds} rounds of ${plan.seconds} s`)
  const context = new Context({ ...plan, say })
  let broken = 0
  for (const { name, run } of chosen) {
    say(`\n${name}`)
    try {
      const outcome = await run(context)
      context.outcomes.set(name, outcome)
      say(outcome.skipped === undefined ? plainOf(outcome) : `  skipped: ${outcome.skipped}`)
    } catch (error) {
      broken += 1
      say(`  BROKEN: ${error.stack}`)
    }
  }
  await context.stop()
  await save({ context, machine, plan, publishing: values.publish })
  if (broken > 0) throw new Error(`${broken} of ${chosen.length} workloads could not be measured`)
}

function choose(only) {
  if (only === undefined) return workloads
  const names = only.split(',')
  const known = workloads.map(({ name }) => name)
  const unknown = names.filter(name => !known.includes(name))
  if (unknown.length > 0) throw new Error(`no such workload: ${unknown.join(', ')}; there are ${known.join(', ')}`)
  return workloads.filter(({ name }) => names.includes(name))
}

/** At the first run, and after a change of the lockfile. Without a registry the peers from it are left out. */
function install() {
  const mark = new URL('node_modules/.package-lock.json', here)
  const lock = new URL('package-lock.json', here)
  if (fs.existsSync(mark) && fs.statSync(mark).mtimeMs >= fs.statSync(lock).mtimeMs) return
  process.stdout.write("installing the bench's own packages\n")
  const { status } = spawnSync('npm', ['ci', '--loglevel=error'], { cwd: here, stdio: 'inherit', timeout: 180_000 })
  if (status === 0) fs.utimesSync(mark, new Date(), new Date())
}

async function save({ context, machine, plan, publishing }) {
  const { outcomes, leftOut } = context
  const { rounds, seconds } = plan
  const panels = [...outcomes.values()].filter(({ bars }) => bars !== undefined)
  const svg = panels.length === 0 ? undefined : chartOf(panels, BASELINE)
  const chart = svg === undefined ? undefined : CHART
  const markdown = markdownOf({ outcomes, leftOut, machine, rounds, seconds, chart })
  const raw = Object.fromEntries(
    [...outcomes].map(([name, { raw, goals, skipped }]) => [name, { skipped, goals, raw }]),
  )
  const results = new URL('results/', here)
  fs.mkdirSync(results, { recursive: true })
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const write = (suffix, text) => fs.writeFileSync(new URL(`${stamp}${suffix}`, results), text)
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
  process.stderr.write(`bench: ${error.message}\n`)
  process.exit(1)
}
