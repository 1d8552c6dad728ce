import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const sources = ['balancer', 'bench', 'examples', 'scripts', 'src', 'test'].flatMap(folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(path => `/${folder}/${path}`),
)
const pages = readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.md'))

void t.test('every source file that the docs name exists', t => {
  const named = pages.flatMap(page =>
    [...readFileSync(`docs/${page}`, 'utf8').matchAll(/`([\w./-]+\.(?:ts|sh))`/g)].map(([, name]) => ({ page, name })),
  )
  t.ok(named.length > 100, `${named.length} files are named`)
  for (const { page, name = '' } of named) {
    t.ok(
      sources.some(path => path.endsWith(`/${name}`)),
      `docs/${page}: ${name} exists`,
    )
  }
  t.end()
})

void t.test('each place to add things is two files at most', t => {
  const page = readFileSync('docs/architecture.md', 'utf8')
  const table = page.slice(page.indexOf('Where to add things'), page.indexOf('The primary binds'))
  const rows = table.split('\n').filter(line => line.startsWith('| a '))
  t.ok(rows.length >= 5, `${rows.length} rows`)
  for (const row of rows) t.ok([...row.matchAll(/\.ts`/g)].length <= 2, row)
  t.end()
})
