import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { missingApp } from '#src/primary/releases/missing-app.js'
import { temporaryFolder } from '../../helpers/harness.js'

void t.test('the error for a release without an app names the missing file, or the fault of its package.json', t => {
  const folder = temporaryFolder(t)
  t.match(missingApp(folder, undefined), /there is no index\.js, server\.js or app\.js$/)
  t.match(missingApp(folder, '/srv/shop'), /there is no index\.js, server\.js or app\.js$/, 'of a folder')
  t.match(missingApp(folder, '/srv/shop/server.mjs'), /there is no server\.mjs$/)
  writeFileSync(join(folder, 'package.json'), '{"main":')
  t.match(missingApp(folder, undefined), /^package\.json cannot be read: .*JSON/)
  t.end()
})
