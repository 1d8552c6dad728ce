import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { MAX_LINE_LENGTH, readLines } from '#src/primary/processes/lines.js'

/** The lines that are read from these chunks. */
async function linesOf(...chunks: Array<string | Buffer>): Promise<string[]> {
  const lines: string[] = []
  const stream = new PassThrough()
  readLines(stream, line => lines.push(line))
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await once(stream, 'close')
  return lines
}

void t.test('lines are the same however they are cut into chunks', async t => {
  t.strictSame(await linesOf('one\ntw', 'o', '\r\n\nfour\n'), ['one', 'two', '', 'four'])
  t.strictSame(await linesOf(Buffer.from([0xe2, 0x82]), Buffer.from([0xac, 0x0a])), ['€'])
  t.strictSame(await linesOf('one\nnot ended'), ['one', 'not ended'])
  t.strictSame(await linesOf(), [])
})

void t.test('a line that is too long is cut', async t => {
  const longest = 'x'.repeat(MAX_LINE_LENGTH)
  t.strictSame(await linesOf(`${longest}\n`), [longest])
  t.strictSame(await linesOf(`${longest}y\nz`), [longest, 'y', 'z'])
  t.strictSame(await linesOf(longest, longest, 'y'), [longest, longest, 'y'])
})

void t.test('a child without a stream has no lines, and one whose stream breaks has no more', async t => {
  readLines(undefined, () => t.fail())
  readLines(null, () => t.fail())
  const stream = new PassThrough()
  readLines(stream, () => t.fail())
  stream.destroy(new Error('broken'))
  await new Promise(resolve => stream.once('close', resolve))
})
