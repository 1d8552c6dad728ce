import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { defaultOptions } from '#balancer/options.js'
import { readConfig } from '#src/config/config.js'
import { allVariables } from '#src/config/variables.js'

const LONGEST_DOC = 80

/** The cells of docs/config.md for each variable: name, default, accepted, meaning. */
function expectedRows(): string[][] {
  return allVariables().map(({ name, default: standIn, shownDefault, parser, doc }) => {
    return [`\`${name}\``, shownDefault ?? standIn ?? '', parser.accepted, doc]
  })
}

/** The cells of each row of the first table. */
function rowsOfThePage(): string[][] {
  const page = readFileSync('docs/config.md', 'utf8')
  const rows = page.split('\n').filter(line => line.startsWith('| `'))
  return rows.slice(0, allVariables().length).map(row => {
    const cells = row.split('|').map(cell => cell.trim())
    return cells.slice(1, -1)
  })
}

void t.test('docs/config.md has a row for each variable, with its default, what is accepted and its meaning', t => {
  t.strictSame(rowsOfThePage(), expectedRows())
  t.end()
})

void t.test('the meaning of a variable fits on a line', t => {
  for (const { name, doc } of allVariables()) t.ok(doc.length <= LONGEST_DOC, `${name}: ${doc.length} characters`)
  t.end()
})

void t.test('a default that is given counts as the default', t => {
  for (const { name, default: standIn } of allVariables()) {
    if (standIn !== undefined) t.strictSame(readConfig({ [name]: standIn }), readConfig({}), `${name}=${standIn}`)
  }
  t.end()
})

void t.test('no two variables have the same name', t => {
  const names = allVariables().map(({ name }) => name)
  t.equal(new Set(names).size, names.length)
  t.end()
})

void t.test('the defaults of a balancer’s options are those of its variables', t => {
  const { balance, trustProxy, upstreamTimeoutMs, maxInFlight, maxSockets, maxHeaderBytes, healthPath, ...others } =
    defaultOptions
  const config = readConfig({})
  t.match(config, { balance, trustProxy, upstreamTimeoutMs, maxInFlight, maxSockets, maxHeaderBytes, healthPath })
  t.equal(config.maxWebSocketsPerClient, others.maxUpgradedPerClient)
  t.end()
})

void t.test('scripts/test.sh is told every variable that is Outpost’s own', t => {
  const script = fileURLToPath(import.meta.resolve('#scripts/variable-names.js'))
  const printed = execFileSync(process.execPath, [script], { encoding: 'utf8' }).trimEnd().split('\n')
  const names = allVariables().flatMap(({ name }) => [`OUTPOST_${name}`, ...(name.startsWith('XDG_') ? [] : [name])])
  t.strictSame(printed, names)
  t.match(readFileSync('scripts/test.sh', 'utf8'), 'dist/scripts/variable-names.js')
  t.end()
})
