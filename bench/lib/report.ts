/** The outcomes of a run as text, for a page and for a terminal. Prettier aligns the columns of the page. */

import type { Machine } from './machine.js'

export interface Column<Row> {
  title: string
  right?: boolean
  of: (row: Row) => string
}

/** A column of numbers. */
export function numbers<Row>(title: string, of: (row: Row) => number, digits = 0): Column<Row> {
  return { title, right: true, of: row => of(row).toFixed(digits) }
}

export interface Table {
  columns: Array<{ title: string; right: boolean }>
  cells: string[][]
}

export interface Goal {
  text: string
  found: string
  reached: boolean
}

/** A peer in a chart. */
export interface Bar {
  label: string
  median: number
  min: number
  max: number
  ratio: number
}

/** The result of a workload. */
export interface Outcome {
  title: string
  table: Table
  goals: Goal[]
  notes: string[]
  /** Every round of everything that was measured. */
  raw: object
  /** The part that the chart shows. */
  bars?: Bar[]
}

export interface Skipped {
  /** The reason why nothing was measured. */
  skipped: string
}

export interface LeftOut {
  name: string
  reason: string
}

export function tableOf<Row>(columns: ReadonlyArray<Column<Row>>, rows: readonly Row[]): Table {
  return {
    columns: columns.map(({ title, right = false }) => ({ title, right })),
    cells: rows.map(row => columns.map(({ of }) => of(row))),
  }
}

export interface Run {
  outcomes: ReadonlyMap<string, Outcome | Skipped>
  leftOut: readonly LeftOut[]
  machine: Machine
  rounds: number
  seconds: number
  /** The chart's path, seen from the page. */
  chart: string | undefined
}

export function markdownOf({ outcomes, leftOut, machine, rounds, seconds, chart }: Run): string {
  const parts = [
    `Measured on ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, Linux ${machine.kernel}, ` +
      `Node.js ${machine.node}, PM2 ${machine.pm2}, Nginx ${machine.nginx}, HAProxy ${machine.haproxy}, ` +
      `Redis ${machine.redis}; load by wrk ${machine.wrk} on the same machine. ${rounds} rounds of ${seconds} s a peer, ` +
      "in turn; medians; each ratio is the median of the rounds' own ratios.",
  ]
  if (chart !== undefined) parts.push(`![Requests per second, side by side](${chart})`)
  for (const { name, reason } of leftOut) parts.push(`Left out: ${name} (${reason}).`)
  for (const [name, outcome] of outcomes) {
    if ('skipped' in outcome) parts.push(`Not measured: ${name} (${outcome.skipped}).`)
    else parts.push(`### ${outcome.title}`, markdownTable(outcome.table), ...outcome.notes, ...markdownGoals(outcome))
  }
  return `${parts.join('\n\n')}\n`
}

function markdownTable({ columns, cells }: Table): string {
  const lines = [columns.map(({ title }) => title), columns.map(({ right }) => (right ? '---:' : '---')), ...cells]
  return lines.map(line => `| ${line.join(' | ')} |`).join('\n')
}

function markdownGoals({ goals }: Outcome): string[] {
  if (goals.length === 0) return []
  return [
    goals.map(({ text, found, reached }) => `- ${text}: **${found}**${reached ? '' : ', not reached'}`).join('\n'),
  ]
}

/** One outcome for a terminal: columns padded, no markup. */
export function plainOf({ title, table: { columns, cells }, goals }: Outcome): string {
  const lines = [columns.map(column => column.title), ...cells]
  const widths = columns.map((_, i) => Math.max(...lines.map(line => line[i]?.length ?? 0)))
  const padded = lines.map(line =>
    line
      .map((cell, i) => {
        const width = widths[i] ?? 0
        return columns[i]?.right === true ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  '),
  )
  const judged = goals.map(
    ({ text, found, reached }) => `${reached ? 'reached    ' : 'NOT REACHED'}  ${text}: ${found}`,
  )
  return [`\n${title}`, ...padded, ...judged].join('\n')
}
