import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LogFile } from '#src/primary/host/log-file.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'

function logIn(t: Harness, folder: string, maxBytes = 1_000_000): LogFile {
  const log = new LogFile(folder, maxBytes)
  t.teardown(() => log.close())
  return log
}

const linesOf = (log: LogFile, count = 100): string[] => log.read(count).lines

void t.test('the last lines are those that were written last', t => {
  const log = logIn(t, temporaryFolder(t))
  for (const line of ['one\n', 'two', 'three\n']) log.write(line)
  t.strictSame(linesOf(log), ['one', 'two', 'three'])
  t.strictSame(linesOf(log, 2), ['two', 'three'])
  t.strictSame(linesOf(log, 0), [])
  t.equal(statSync(log.path).mode & 0o777, 0o600)
  t.end()
})

void t.test('a log goes on where the previous one ended', t => {
  const folder = temporaryFolder(t)
  const first = new LogFile(folder, 1_000)
  first.write('before')
  first.close()
  const log = logIn(t, folder, 1_000)
  log.write('after')
  t.strictSame(linesOf(log), ['before', 'after'])
  t.end()
})

void t.test('a follower gets each further line once, and none after it stopped', t => {
  const log = logIn(t, temporaryFolder(t))
  log.write('before')
  const followed: string[] = []
  const { lines, stop } = log.read(10, line => followed.push(line))
  log.write('after\n')
  stop()
  log.write('later')
  t.strictSame([lines, followed], [['before'], ['after']])
  t.end()
})

void t.test('the files stay under the bound, and the lines over the border of the two are found', t => {
  const folder = temporaryFolder(t)
  const log = logIn(t, folder, 1_000)
  const written = Array.from({ length: 300 }, (_, i) => `line ${i}`)
  for (const line of written) {
    log.write(line)
    log.read(0)
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    if (bytes > 1_000) t.fail(`${bytes} bytes after ${line}`)
  }
  const kept = linesOf(log)
  t.ok(kept.length >= 40, `${kept.length} lines are kept`)
  t.strictSame(kept, written.slice(-kept.length))
  t.strictSame(readdirSync(folder).sort(), ['outpost.log', 'outpost.log.1'])
  t.end()
})

void t.test('the end of a burst that is longer than a file is kept', t => {
  const log = logIn(t, temporaryFolder(t), 100)
  for (let i = 0; i < 100; i++) log.write(`line ${i}`)
  t.equal(linesOf(log).at(-1), 'line 99')
  t.ok(statSync(log.path).size <= 50)
  t.end()
})

void t.test('with a bound of 0 nothing is kept, but followers get their lines', t => {
  const folder = temporaryFolder(t)
  const log = logIn(t, folder, 0)
  const followed: string[] = []
  const { stop } = log.read(10, line => followed.push(line))
  log.write('line')
  stop()
  t.strictSame([followed, linesOf(log), readdirSync(folder)], [['line'], [], []])
  t.end()
})

void t.test('lines that cannot be written are counted, and the log says so once it works again', t => {
  const folder = join(temporaryFolder(t), 'logs')
  const log = logIn(t, folder)
  for (const line of ['one', 'two']) {
    log.write(line)
    t.strictSame(linesOf(log), [])
  }
  mkdirSync(folder)
  log.write('three')
  t.strictSame(linesOf(log), ['outpost: the log lacks 2 lines, which could not be written', 'three'])
  log.write('four')
  t.equal(linesOf(log).length, 3)
  t.end()
})

void t.test('lines of one turn of the event loop are in the file in the next', async t => {
  const log = logIn(t, temporaryFolder(t))
  log.write('one')
  log.write('two')
  await new Promise(resolve => setImmediate(resolve))
  t.equal(readFileSync(log.path, 'utf8'), 'one\ntwo\n')
})
