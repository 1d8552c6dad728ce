import type { Context } from '../lib/context.js'
import { numbers, tableOf, type Column, type Outcome, type Skipped, type Table } from '../lib/report.js'
import { median } from '../lib/stats.js'

export interface Workload {
  name: string
  run: (context: Context) => Promise<Outcome | Skipped>
}

/** The rounds of one subject, as a row of a table. */
export interface Row<T> {
  name: string
  rounds: readonly T[]
}

/** A row for each peer. */
export function tableOfRounds<T>(
  samples: ReadonlyMap<string, readonly T[]>,
  columns: ReadonlyArray<Column<Row<T>>>,
): Table {
  const rows = [...samples].map(([name, rounds]) => ({ name, rounds }))
  return tableOf([{ title: 'peer', of: ({ name }) => name }, ...columns], rows)
}

/** The median of the rounds. */
export function medians<T>(title: string, of: (sample: T) => number, digits = 0): Column<Row<T>> {
  return numbers(title, ({ rounds }) => median(rounds.map(of)), digits)
}

/** The sum of the rounds. */
export function totals<T>(title: string, of: (sample: T) => number): Column<Row<T>> {
  return numbers(title, ({ rounds }) => rounds.reduce((sum, sample) => sum + of(sample), 0))
}

/** The least and the most of the rounds. */
export function ranges<T>(title: string, of: (sample: T) => number, digits = 0): Column<Row<T>> {
  const text = (values: readonly number[]): string =>
    `${Math.min(...values).toFixed(digits)} – ${Math.max(...values).toFixed(digits)}`
  return { title, right: true, of: ({ rounds }) => text(rounds.map(of)) }
}
