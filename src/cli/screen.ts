import type { Status } from '../control/protocol.js'
import { readable } from './log-line.js'
import { withoutColours, type Paint } from './paint.js'
import { statusLines } from './status.js'

export interface Size {
  columns: number
  rows: number
}

const KEYS = 'q quits'

/** Some terminals do not tell their size: they say that it is 0. */
export function sizeOf({ columns, rows }: Partial<Size>): Size {
  return { columns: columns || 80, rows: rows || 24 }
}

/** The lines of a live screen: the status, the end of the log, and the keys. As many lines as the screen has. */
export function screenOf(status: Status, log: readonly string[], { columns, rows }: Size, paint: Paint): string[] {
  const above = statusLines(status, paint)
  const room = Math.max(0, rows - above.length - 3)
  const shown = log.slice(-rows).flatMap(line => readable(line, paint).split('\n'))
  const lines = [...above, '', ...shown.slice(Math.max(0, shown.length - room))]
  while (lines.length < rows - 1) lines.push('')
  return [...lines.slice(0, rows - 1), paint('dim', KEYS)].map(line => cut(line, columns))
}

/** A line that is too long loses its colours with its end, so that none is left open. */
function cut(line: string, columns: number): string {
  const text = withoutColours(line)
  return text.length <= columns ? line : `${text.slice(0, Math.max(0, columns - 1))}…`
}
