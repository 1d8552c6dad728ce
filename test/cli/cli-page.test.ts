import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import t from 'tap'
import { exitMeanings } from '#src/cli/failure.js'
import { Output } from '#src/cli/output.js'
import { programOf } from '#src/cli/program.js'

const page = readFileSync('docs/cli.md', 'utf8')
const program = programOf({ output: new Output(), appArgs: [], program: '', command: '' })

/** The text after a heading, up to the next one. */
function section(heading: string): string {
  const text = page.split(`\n${heading}\n`)[1]
  if (text === undefined) throw new Error(`docs/cli.md has no "${heading}"`)
  return text.split(/\n## /)[0] ?? ''
}

/** The cells of each row of the tables in a text whose first cell is code. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(row => row.split(' | ').map(cell => cell.replace(/^\| | \|$/g, '').trim()))
}

/** The rows that the page must have for a command: arguments and options, as its help tells them. */
function rowsFor(command: Command): string[][] {
  const args = command.registeredArguments.map(arg => {
    const name = arg.name() + (arg.variadic ? '...' : '')
    return [`\`${arg.required ? `<${name}>` : `[${name}]`}\``, arg.description]
  })
  const options = command.options.map(({ flags, description }) => [`\`${flags}\``, description])
  return [...args, ...options]
}

for (const command of program.commands) {
  const name = command.name()
  void t.test(`docs/cli.md and the help of outpost ${name} say the same`, t => {
    const text = section(`## outpost ${[name, ...command.aliases()].join(', ')}`)
    t.ok(text.includes(`\noutpost ${name} ${command.usage()}\n`), `the usage: outpost ${name} ${command.usage()}`)
    t.strictSame(rowsOf(text), rowsFor(command))
    const help = command.helpInformation().replace(/\s+/g, ' ')
    for (const [flags = '', what = ''] of rowsFor(command)) {
      const shown = flags.replaceAll('`', '').replace(/^[<[](.*)[>\]]$/, '$1')
      t.ok(help.includes(shown), `the help has ${shown}`)
      t.ok(help.includes(what), `the help has: ${what}`)
    }
    t.end()
  })
}

void t.test('docs/cli.md has a section for each command and no other', t => {
  const sections = [...page.matchAll(/^## outpost (\w+)/gm)].map(([, name]) => name)
  t.strictSame(
    sections,
    program.commands.map(command => command.name()),
  )
  t.end()
})

void t.test('docs/cli.md and the help have every exit code with its meaning', t => {
  const rows = section('## Exit codes')
    .split('\n')
    .flatMap(line => /^\| (\d+) +\| (.*?) *\|$/.exec(line)?.slice(1) ?? [])
  t.strictSame(
    rows,
    exitMeanings.flatMap(([code, meaning]) => [String(code), meaning]),
  )
  let help = ''
  program.configureOutput({ writeOut: text => (help += text) }).outputHelp()
  for (const [code, meaning] of exitMeanings) t.match(help, new RegExp(`^ +${code} +${meaning}$`, 'm'))
  t.end()
})
