import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CronHistory } from '#src/primary/cron/cron-history.js'
import { temporaryFolder } from '../../helpers/harness.js'

const run = (n: number): { at: string; ms: number; result: string } => ({ at: `${n}`, ms: n, result: 'exit code 0' })

void t.test('the last runs of the jobs that there are survive a restart', t => {
  const path = join(temporaryFolder(t), 'cron.json')
  const history = new CronHistory(path)
  history.follow(['a', 'b'])
  for (let n = 0; n < 7; n++) history.add('a', run(n))
  history.add('b', { ...run(9), result: 'x'.repeat(10_000) })
  history.add('gone', run(1))
  const again = new CronHistory(path)
  again.follow(['a', 'b', 'c'])
  t.strictSame(again.of('a'), [6, 5, 4, 3, 2].map(run))
  t.equal(again.of('b')[0]?.result.length, 500)
  t.strictSame([again.of('c'), again.of('gone')], [[], []])
  again.follow(['b'])
  again.add('b', run(10))
  t.notMatch(readFileSync(path, 'utf8'), '"a"', 'of a job that is gone nothing is kept')
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.end()
})

void t.test('a file that cannot be read is as good as none, and is replaced', t => {
  const path = join(temporaryFolder(t), 'cron.json')
  writeFileSync(path, '{"a":[{"at":1}]}')
  const history = new CronHistory(path)
  history.follow(['a'])
  t.strictSame(history.of('a'), [])
  history.add('a', run(1))
  t.strictSame(new CronHistory(path).of('a'), [run(1)])
  t.end()
})

void t.test('without a file it is kept in memory', t => {
  const history = new CronHistory(undefined)
  history.follow(['a'])
  history.add('a', run(1))
  t.strictSame(history.of('a'), [run(1)])
  t.end()
})
