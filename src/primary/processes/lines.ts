import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'

/** Longer lines are cut: a child that never ends a line must not fill the memory of this process. */
export const MAX_LINE_LENGTH = 64 * 1024

const LAST_LINES = 20
/** The children of a process may hold its output open for long. */
const OUTPUT_PATIENCE_MS = 1_000

/**
 * Reads both outputs of a child, line by line.
 * @returns the last 20 lines; the array changes as the child prints
 */
export function readOutput(
  { stdout, stderr }: Pick<ChildProcess, 'stdout' | 'stderr'>,
  onLine: (line: string) => void,
): readonly string[] {
  const lastLines: string[] = []
  for (const stream of [stdout, stderr]) {
    readLines(stream, line => {
      lastLines.push(line)
      if (lastLines.length > LAST_LINES) lastLines.shift()
      onLine(line)
    })
  }
  return lastLines
}

/** Resolves when all output of a child has been read, which is after its end. */
export async function onceRead(child: ChildProcess, exited: Promise<void>): Promise<void> {
  const read = new Promise<void>(resolve => child.once('close', () => resolve()))
  await Promise.race([read, exited.then(() => sleep(OUTPUT_PATIENCE_MS, undefined, { ref: false }))])
}

/**
 * Reads one stream, line by line.
 * @param stream null or undefined when the child has none, for lack of open files
 */
export function readLines(stream: Readable | null | undefined, onLine: (line: string) => void): void {
  if (stream === null || stream === undefined) return
  const decoder = new StringDecoder('utf8')
  let unfinished = ''
  stream.on('data', (chunk: Buffer) => {
    const [first = '', ...others] = decoder.write(chunk).split('\n')
    unfinished = cut(unfinished + first, onLine)
    for (const next of others) {
      onLine(unfinished.endsWith('\r') ? unfinished.slice(0, -1) : unfinished)
      unfinished = cut(next, onLine)
    }
  })
  stream.once('close', () => {
    const last = unfinished + decoder.end()
    if (last !== '') onLine(last)
  })
  stream.on('error', () => undefined)
}

/** Passes on pieces of the maximal length of a line while the text is longer than that, and returns the rest. */
function cut(text: string, onLine: (line: string) => void): string {
  let from = 0
  for (; text.length - from > MAX_LINE_LENGTH; from += MAX_LINE_LENGTH) onLine(text.slice(from, from + MAX_LINE_LENGTH))
  return text.slice(from)
}
