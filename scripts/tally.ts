/**
 * Reads the TAP output of the whole suite and closes a run with one plain line: "N passed, N failed, N skipped".
 * Before it, what was skipped and why. A run that counted no test is a failed one.
 */
import { readFileSync } from 'node:fs'

const [path = ''] = process.argv.slice(2)
const lines = readFileSync(path, 'utf8').split('\n')

for (const line of lines) {
  const skipped = /^\s*ok \d+ - (.*?)\s+# SKIP(.*)$/i.exec(line)
  if (skipped !== null) process.stdout.write(`skipped: ${skipped[1] ?? ''}:${skipped[2] ?? ''}\n`)
}

const total = lines.filter(line => line.startsWith('# { total:')).at(-1) ?? ''
const count = (name: string): number => Number(new RegExp(`\\b${name}: (\\d+)`).exec(total)?.[1] ?? 0)
const counted = count('total') > 0
process.stdout.write(`${count('pass')} passed, ${counted ? count('fail') : 1} failed, ${count('skip')} skipped\n`)
process.exitCode = counted && count('fail') === 0 ? 0 : 1
