import { withoutColours } from './paint.js'

export interface Column {
  title: string
  /** Numbers are easier to compare when they are aligned on the right. */
  right?: boolean
}

/** The lines of a table: its titles, then its rows, two blanks between the columns. Cells may be coloured. */
export function table(columns: readonly Column[], rows: ReadonlyArray<readonly string[]>): string[] {
  const all = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map(row => widthOf(row[i] ?? ''))))
  return all.map(row => {
    const cells = columns.map(({ right = false }, i) => pad(row[i] ?? '', widths[i] ?? 0, right))
    return cells.join('  ').trimEnd()
  })
}

function pad(text: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)))
  return right ? blanks + text : text + blanks
}

function widthOf(text: string): number {
  return withoutColours(text).length
}
