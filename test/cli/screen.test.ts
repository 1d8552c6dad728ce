import t from 'tap'
import { coloured, plain, withoutColours } from '#src/cli/paint.js'
import { screenOf, sizeOf } from '#src/cli/screen.js'
import { statusLines } from '#src/cli/status.js'
import { aStatus } from '../control/running-control.js'

const log = Array.from({ length: 100 }, (_, i) => `[worker 1] line ${i}`)

void t.test('a screen is filled: the status, the end of the log, and the keys', t => {
  const above = statusLines(aStatus)
  const screen = screenOf(aStatus, log, { columns: 200, rows: above.length + 6 }, plain)
  t.strictSame(screen, [...above, '', ...log.slice(-3), '', 'q quits'])
  t.end()
})

void t.test('a screen of any size is neither overfull nor too wide, and leaves no colour open', t => {
  for (const rows of [2, 5, 8, 24, 300]) {
    for (const columns of [10, 40, 200]) {
      const screen = screenOf(aStatus, log, { columns, rows }, coloured)
      t.equal(screen.length, rows, `${rows} rows`)
      const widest = Math.max(...screen.map(line => withoutColours(line).length))
      t.ok(widest <= columns, `${widest} of ${columns} columns`)
      for (const line of screen)
        t.equal(line.match(/\x1b\[\d+m/g)?.length ?? 0, 2 * (line.match(/\x1b\[(22|39)m/g)?.length ?? 0))
    }
  }
  t.end()
})

void t.test('a terminal that does not tell its size has the usual one', t => {
  t.strictSame(sizeOf({ columns: 0, rows: 0 }), { columns: 80, rows: 24 })
  t.strictSame(sizeOf({}), { columns: 80, rows: 24 })
  t.strictSame(sizeOf({ columns: 132, rows: 50 }), { columns: 132, rows: 50 })
  t.end()
})
