import { spawnSync } from 'node:child_process'
import t from 'tap'
import { openFilesForConnections, openFilesLimit } from '#src/resources/open-files-limit.js'

void t.test('the limit of open files is that of this process', t => {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })
  t.equal(openFilesLimit(), Number(stdout))
  t.end()
})

void t.test('connections get what is not open and not reserved, and at least a quarter', t => {
  t.equal(openFilesForConnections(64, 500, 30), 406)
  t.equal(openFilesForConnections(64, 100, 30), 25)
  t.equal(openFilesForConnections(64, Infinity, 30), Infinity)
  t.end()
})
