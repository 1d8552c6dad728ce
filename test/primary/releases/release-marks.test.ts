import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { changedFiles, markFiles } from '#src/primary/releases/release-marks.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'

function appWith(t: Harness, names: readonly string[]): string {
  const app = join(temporaryFolder(t), 'app')
  mkdirSync(app)
  for (const name of names) {
    mkdirSync(dirname(join(app, name)), { recursive: true })
    writeFileSync(join(app, name), name)
  }
  return app
}

void t.test('files that were changed or removed are found, new ones and packages are not', async t => {
  const app = appWith(t, ['app.js', 'lib/a.js', 'lib/b.js', 'lib/c.js', 'node_modules/x/index.js', 'übergröße ☃.txt'])
  symlinkSync('app.js', join(app, 'link'))
  await markFiles(app)
  t.equal(await changedFiles(app), undefined)
  writeFileSync(join(app, 'data.db'), 'new')
  writeFileSync(join(app, 'node_modules/x/index.js'), 'generated')
  rmSync(join(app, 'link'))
  t.equal(await changedFiles(app), undefined)
  const { atime, mtime } = statSync(join(app, 'lib/a.js'))
  writeFileSync(join(app, 'lib/a.js'), 'longer than it was')
  utimesSync(join(app, 'lib/a.js'), atime, mtime)
  unlinkSync(join(app, 'lib/b.js'))
  writeFileSync(join(app, 'lib/c.js'), 'LIB/c.js')
  utimesSync(join(app, 'lib/c.js'), 1, 1)
  unlinkSync(join(app, 'übergröße ☃.txt'))
  mkdirSync(join(app, 'übergröße ☃.txt'))
  t.match(await changedFiles(app), { count: 4, files: { length: 4 } })
})

void t.test('a file with another time and the same content has not changed, as after a copy of DATA_DIR', async t => {
  const app = appWith(t, ['app.js'])
  await markFiles(app)
  utimesSync(join(app, 'app.js'), 1, 1)
  t.equal(await changedFiles(app), undefined)
})

void t.test('only the first files are named', async t => {
  const app = appWith(
    t,
    Array.from({ length: 9 }, (_, i) => `${i}.js`),
  )
  await markFiles(app)
  rmSync(app, { recursive: true })
  const changed = await changedFiles(app)
  t.match(changed, { count: 9, files: { length: 5 } })
})

void t.test('a release without usable marks is not doubted', async t => {
  const app = appWith(t, ['app.js'])
  t.equal(await changedFiles(app), undefined)
  await markFiles(app)
  const marks = join(app, '..', 'files.json')
  writeFileSync(marks, readFileSync(marks).subarray(0, 20))
  writeFileSync(join(app, 'app.js'), 'changed')
  t.equal(await changedFiles(app), undefined)
})
