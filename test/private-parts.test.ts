import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

/** The cells of each row of docs/private-parts.md. */
const rows = readFileSync('docs/private-parts.md', 'utf8')
  .split('\n')
  .filter(line => line.startsWith('| `'))
  .map(line =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map(cell => cell.trim().replaceAll('\\', '')),
  )

void t.test('every file and every test that docs/private-parts.md names exists', t => {
  t.ok(rows.length > 50, `${rows.length} rows`)
  for (const [file = '', , , testFile = '', title = ''] of rows) {
    t.ok(existsSync(unquoted(file)), `${file} exists`)
    t.match(readFileSync(unquoted(testFile), 'utf8'), titleOf(title), `${testFile} has a test of that name`)
  }
  t.end()
})

function unquoted(cell: string): string {
  return cell.replaceAll('`', '')
}

/** A title as it stands in the source, where the parts that vary are expressions. */
function titleOf(cell: string): RegExp {
  const parts = cell.split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`t\\.test\\(\\s*(['"\`])${parts.join('\\$\\{\\w+\\}')}\\1`)
}
