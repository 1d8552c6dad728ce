/**
 * Reads the TAP output of the whole suite and closes a run with one plain line: "N passed, N failed, N skipped".
 * Before it come the skipped tests with their reasons, and the failed assertions with their places and diffs. A run
 * that counted no test has failed.
 */
import { readFileSync } from 'node:fs'

const [file = ''] = process.argv.slice(2)
const lines = readFileSync(file, 'utf8').split('\n')

const DIFF_LINES = 20

/** The tests around the current line, outermost first; four spaces of indent a test. */
const path: string[] = []

const failedFiles = new Set<string>()

for (const [index, line] of lines.entries()) {
  const subtest = /^( *)# Subtest: (.*)$/.exec(line)
  if (subtest !== null) path.splice((subtest[1] ?? '').length / 4, Infinity, subtest[2] ?? '')
  const failed = /^( *)not ok \d+ - (.*?)( # time=.*)?$/.exec(line)
  if (failed !== null) {
    const where = path.slice(0, (failed[1] ?? '').length / 4)
    const block = blockAfter(index)
    process.stdout.write(`failed: ${[...where, failed[2]].join(' > ')}${placeIn(block)}\n`)
    const file = where[0] ?? failed[2] ?? ''
    if (/^build\/test\/\S+\.js$/.test(file)) failedFiles.add(file)
    for (const difference of diffIn(block)) process.stdout.write(`${difference}\n`)
  }
  const skipped = /^\s*ok \d+ - (.*?)\s+# SKIP(.*)$/i.exec(line)
  if (skipped !== null) process.stdout.write(`skipped: ${skipped[1] ?? ''}:${skipped[2] ?? ''}\n`)
}

if (failedFiles.size > 0) process.stdout.write(`to run them alone: scripts/test.sh ${[...failedFiles].join(' ')}\n`)

const total = lines.filter(line => line.startsWith('# { total:')).at(-1) ?? ''
const count = (name: string): number => Number(new RegExp(`\\b${name}: (\\d+)`).exec(total)?.[1] ?? 0)
const counted = count('total') > 0
process.stdout.write(`${count('pass')} passed, ${counted ? count('fail') : 1} failed, ${count('skip')} skipped\n`)
process.exitCode = counted && count('fail') === 0 ? 0 : 1

/** The YAML block that tells more about a failed assertion. */
function blockAfter(index: number): string[] {
  const end = lines.findIndex((line, at) => at > index && /^ *(\.\.\.|not ok|ok) ?/.test(line))
  return lines.slice(index + 1, end < 0 ? undefined : end)
}

/** Where the assertion is, since many have the same name. */
function placeIn(block: readonly string[]): string {
  const valueOf = (key: string): string | undefined =>
    block.map(line => new RegExp(`^ *${key}: (.+)$`).exec(line)?.[1]).find(value => value !== undefined)
  const file = valueOf('fileName')
  return file === undefined ? '' : ` (${file}:${valueOf('lineNumber') ?? '?'})`
}

/** The lines under `diff`. */
function diffIn(block: readonly string[]): string[] {
  const start = block.findIndex(line => /^ *diff: [|>]/.test(line))
  if (start < 0) return []
  const indent = block[start]?.search(/\S/) ?? 0
  const length = block.slice(start + 1).findIndex(line => line.search(/\S/) <= indent && line.trim() !== '')
  return block.slice(start + 1, length < 0 ? undefined : start + 1 + length).slice(0, DIFF_LINES)
}
