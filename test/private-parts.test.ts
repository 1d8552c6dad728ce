import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** Code that reaches into private parts. A row of its file has the first word in brackets, or else `word`. */
const reaching: ReadonlyArray<{ code: RegExp; word?: string }> = [
  { code: /\.(_[a-z]\w*)/gi },
  { code: /\.(shouldKeepAlive|assignSocket|detachSocket)\b/g },
  { code: /\bnew (ServerResponse|IncomingMessage)\(/g },
  { code: / = \w+\.prototype\.(\w+)/g },
  { code: /\bsend(?:\?\.)?\(.* as never\b/g, word: 'raw handle' },
]

void t.test('code that reaches into private parts has a row', t => {
  const files = ['src', 'balancer'].flatMap(folder =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)),
  )
  let found = 0
  for (const file of files.filter(name => name.endsWith('.ts'))) {
    const cells = rows.filter(([of = '']) => unquoted(of) === file).map(([, cell = '']) => cell)
    const text = readFileSync(file, 'utf8').replace(/^ *(\/\*)?(\*|\/\/).*$/gm, '')
    for (const { code, word } of reaching) {
      const words = [...text.matchAll(code)].map(([, named = '']) => word ?? named)
      found += words.length
      for (const each of new Set(words)) t.ok(isNamed(each, cells), `a row of ${file} names ${each}`)
    }
  }
  t.ok(found > 50, `${found} places`)
  t.end()
})

function isNamed(word: string, cells: readonly string[]): boolean {
  return cells.some(cell => new RegExp(`(?<!\\w)${word}(?!\\w)`).test(cell))
}

function unquoted(cell: string): string {
  return cell.replaceAll('`', '')
}

/** A title as it stands in the source, where the parts that vary are expressions. */
function titleOf(cell: string): RegExp {
  const parts = cell.split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`t\\.test\\(\\s*(['"\`])${parts.join('\\$\\{\\w+\\}')}\\1`)
}
