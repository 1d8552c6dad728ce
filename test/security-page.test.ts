import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { securityEvents } from '#src/process/security-events.js'

const page = readFileSync('docs/security.md', 'utf8')

/** The requirements of ASVS 5.0 that the page answers: all of level 1 and 2 in these sections. */
const REQUIRED = [
  ...['2.4.1', '3.3.1', '3.3.3', ...numbered('3.4', 1, 6), '4.1.3', '4.2.1', '5.2.1', '5.2.2', '5.4.3'],
  ...['6.1.2', ...numbered('6.2', 1, 12), '7.1.2', '7.1.3', ...numbered('7.2', 1, 4), ...numbered('7.3', 1, 2)],
  ...[...numbered('7.4', 1, 5), ...numbered('7.5', 1, 2), ...numbered('11.1', 1, 2), ...numbered('13.2', 1, 5)],
  ...[...numbered('13.3', 1, 2), ...numbered('15.1', 1, 3), '16.1.1', ...numbered('16.2', 1, 5)],
  ...[...numbered('16.3', 1, 4), ...numbered('16.4', 1, 3), ...numbered('16.5', 1, 3)],
]

function numbered(section: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${section}.${from + i}`)
}

/** The cells of each row that is about a requirement. */
const rows = page
  .split('\n')
  .filter(line => /^\| \d+\.\d+\.\d+ /.test(line))
  .map(line =>
    line
      .slice(1, -1)
      .split('|')
      .map(cell => cell.trim()),
  )

void t.test('docs/security.md answers every requirement, and each with a test or a reason', t => {
  t.strictSame([...new Set(rows.map(([requirement]) => requirement))].sort(), [...REQUIRED].sort())
  for (const [requirement = '', how = '', file = '', title = ''] of rows) {
    t.ok(how.length > 0, `${requirement} says how`)
    if (file === '–') t.equal(title, '–', `${requirement} names no test`)
    else t.ok(hasTest(file.replaceAll('`', ''), title), `${file} has the test "${title}"`)
  }
  t.end()
})

void t.test('docs/security.md says what each kind of security event is', t => {
  const kinds = [...page.matchAll(/^\| `([a-z-]+)` +\| (\S.*?) +\|$/gm)].map(([, kind]) => kind)
  for (const kind of securityEvents) t.ok(kinds.includes(kind), kind)
  t.end()
})

void t.test('every dependency has a fixed version and a hash, and every direct one a reason', t => {
  interface Part {
    dependencies?: Record<string, string>
    integrity?: string
    link?: boolean
  }
  const { dependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8')) as Part
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Part> }
  const reasons = readFileSync('docs/decisions/009-dependencies.md', 'utf8')
  for (const [name, version] of Object.entries(dependencies)) {
    t.match(version, /^\d+\.\d+\.\d+$/, `${name} has a fixed version`)
    t.ok(reasons.includes(name), `${name} has a reason`)
  }
  const parts = Object.entries(lock.packages).filter(([path]) => path.startsWith('node_modules/'))
  t.ok(parts.length > 100, `${parts.length} parts`)
  t.strictSame(
    parts.filter(([, { integrity, link }]) => integrity === undefined && link !== true).map(([path]) => path),
    [],
    'every dependency has a hash',
  )
  t.end()
})

void t.test('SECURITY.md says how to report, what is supported and how soon vulnerable dependencies are updated', t => {
  const policy = readFileSync('SECURITY.md', 'utf8')
  for (const heading of ['Reporting a vulnerability', 'Supported versions', 'Vulnerable dependencies']) {
    t.match(policy, new RegExp(`^## ${heading}$`, 'm'))
  }
  for (const severity of ['critical', 'high', 'medium', 'low'])
    t.match(policy, new RegExp(`^\\| ${severity} +\\| \\d+ days`, 'm'))
  t.match(policy, 'We promise no time frame', 'nobody has confirmed one')
  t.end()
})

/** A title as it stands in the source, where the parts that vary are expressions. */
function hasTest(file: string, title: string): boolean {
  const parts = title.split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const pattern = new RegExp(`t\\.test\\(\\s*(['"\`])${parts.join('\\$\\{[^}]+\\}')}\\1`)
  return existsSync(file) && pattern.test(readFileSync(file, 'utf8'))
}
