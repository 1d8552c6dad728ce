import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lockHolderIn } from '#src/control/lock-holder.js'
import { temporaryFolder } from '../helpers/harness.js'

void t.test('nobody holds a lock that names no primary', t => {
  const dataDir = temporaryFolder(t)
  t.equal(lockHolderIn(dataDir), undefined, 'there is none')
  for (const text of ['', 'x', '-1', '0', String(2 ** 40), `${process.pid}\n`]) {
    writeFileSync(join(dataDir, 'lock'), text)
    t.equal(lockHolderIn(dataDir), undefined, JSON.stringify(text))
  }
  t.end()
})

void t.test('a primary holds the lock that names it', t => {
  const dataDir = temporaryFolder(t)
  const { title } = process
  process.title = 'outpost primary'
  t.teardown(() => (process.title = title))
  writeFileSync(join(dataDir, 'lock'), `${process.pid}\n`)
  t.equal(lockHolderIn(dataDir), process.pid)
  t.end()
})
