/**
 * Replays recorded loads through the autoscaler of WORKERS=A-B, and through the rule that watt documents, with simulated
 * workers. Nothing is loaded or measured: the same seed gives the same figures on every machine.
 *
 *   npm run autoscale-replay                        the table of docs/performance.md
 *   npm run autoscale-replay -- --explain step      the decisions on one recording, a line each
 *   npm run autoscale-replay -- --load FILE         a load of your own: a line a second, the requests of that second
 *   npm run autoscale-replay -- --seed 7 --start-ms 2000 --work-ms 25
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { recordings, type Recording } from '#scripts/lib/autoscale/recordings.js'
import { replay, TARGET_MS, type Replayed } from '#scripts/lib/autoscale/replay.js'
import { ownRule, wattRule } from '#scripts/lib/autoscale/rules.js'
import { usualPool, type PoolModel } from '#scripts/lib/autoscale/simulated-pool.js'
import { plainOf, tableOf, type Column, type Goal } from './lib/report.js'

interface Row {
  name: string
  own: Replayed
  watt: Replayed
}

const { values } = parseArgs({
  options: {
    load: { type: 'string' },
    explain: { type: 'string' },
    seed: { type: 'string', default: String(usualPool.seed) },
    'start-ms': { type: 'string', default: String(usualPool.startMs) },
    'work-ms': { type: 'string', default: String(usualPool.workMs) },
    min: { type: 'string', default: '1' },
    max: { type: 'string', default: '8' },
  },
})
const model: PoolModel = {
  ...usualPool,
  seed: Number(values.seed),
  startMs: Number(values['start-ms']),
  workMs: Number(values['work-ms']),
}
const limits = { min: Number(values.min), max: Number(values.max), cores: Number(values.max), places: model.places }
const chosen = values.load === undefined ? recordings : [recordedIn(values.load)]

if (values.explain === undefined) say(comparison(chosen.map(play)))
else for (const recording of chosen.filter(({ name }) => name === values.explain)) explain(recording)

function play(recording: Recording): Row {
  const own = replay(recording, ownRule(limits), limits.min, model)
  return { name: recording.name, own, watt: replay(recording, wattRule(limits), limits.min, model) }
}

function comparison(rows: Row[]): string {
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0)
  const column = (title: string, of: (row: Row) => number): Column<Row | undefined> => {
    return { title, right: true, of: row => String(row === undefined ? sum(of) : of(row)) }
  }
  const columns: Array<Column<Row | undefined>> = [
    { title: 'recording', of: row => row?.name ?? 'all' },
    column('seconds over', ({ own }) => own.secondsOver),
    column('watt', ({ watt }) => watt.secondsOver),
    column('worker-seconds', ({ own }) => own.workerSeconds),
    column('watt', ({ watt }) => watt.workerSeconds),
    column('changes', ({ own }) => own.changes.length),
    column('watt', ({ watt }) => watt.changes.length),
  ]
  const goal = (text: string, of: (replayed: Replayed) => number): Goal => {
    const [own, watt] = [sum(row => of(row.own)), sum(row => of(row.watt))]
    return { text, found: `${own} and ${watt}`, reached: own < watt }
  }
  return plainOf({
    title: `WORKERS=${limits.min}-${limits.max} and the rule of watt; over: more than 5 % take longer than ${TARGET_MS} ms`,
    table: tableOf(columns, [...rows, undefined]),
    goals: [
      goal('fewer seconds over the target', ({ secondsOver }) => secondsOver),
      goal('fewer worker-seconds', ({ workerSeconds }) => workerSeconds),
    ],
    notes: [],
    raw: {},
  })
}

function explain(recording: Recording): void {
  const { own } = play(recording)
  for (const { second, reason } of own.reasons) say(`${String(second).padStart(6)} s  ${reason}`)
}

function recordedIn(file: string): Recording {
  const perSecond = readFileSync(file, 'utf8').trim().split('\n').map(Number)
  const wrong = perSecond.findIndex(rate => !(rate >= 0 && rate < Infinity))
  if (wrong >= 0) throw new Error(`${file} has no number of requests in line ${wrong + 1}`)
  return { name: file, perSecond }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
