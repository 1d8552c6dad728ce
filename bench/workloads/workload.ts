import type { Context } from '../lib/context.js'
import type { Outcome, Skipped } from '../lib/report.js'

export interface Workload {
  name: string
  run: (context: Context) => Promise<Outcome | Skipped>
}

/** The rounds of one subject, as a row of a table. */
export interface Row<T> {
  name: string
  rounds: readonly T[]
}

export function rowsOf<T>(samples: ReadonlyMap<string, readonly T[]>): Array<Row<T>> {
  return [...samples].map(([name, rounds]) => ({ name, rounds }))
}
