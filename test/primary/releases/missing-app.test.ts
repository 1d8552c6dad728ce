import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { missingApp } from '#src/primary/releases/missing-app.js'
import { temporaryFolder } from '../../helpers/harness.js'

void t.test('a release without an app is told which file is missing, or what is wrong with its package.json', t => {
  const folder = temporaryFolder(t)
  t.match(missingApp(folder, undefined), 'neither index.js nor')
  t.match(missingApp(folder, '/srv/shop'), 'neither index.js nor', 'a folder is no name of a file')
  t.match(missingApp(folder, '/srv/shop/server.mjs'), 'neither server.mjs nor')
  writeFileSync(join(folder, 'package.json'), '{"main":')
  t.match(missingApp(folder, undefined), /^its package\.json cannot be read: .*JSON/)
  t.end()
})
