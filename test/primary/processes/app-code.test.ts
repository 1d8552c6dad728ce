import { mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { codeOf } from '#src/primary/processes/app-code.js'
import { temporaryFolder } from '../../helpers/harness.js'

/** A package whose main module is below its folder, and the time after it was made. */
async function madePackage(t: Test): Promise<{ folder: string; file: string; madeAt: number }> {
  const folder = temporaryFolder(t)
  const file = join(folder, 'src', 'main.js')
  for (const name of ['src', 'lib', 'node_modules', '.git', 'uploads']) mkdirSync(join(folder, name))
  for (const path of ['package.json', 'src/main.js', 'lib/routes.js']) writeFileSync(join(folder, path), '')
  return { folder, file, madeAt: await laterThanNow() }
}

/** The clock of files may be a tick behind. */
async function laterThanNow(): Promise<number> {
  await new Promise(resolve => setTimeout(resolve, 20))
  const now = Date.now()
  await new Promise(resolve => setTimeout(resolve, 20))
  return now
}

const CHANGES: Record<string, (folder: string) => void> = {
  'a module of another folder': folder => writeFileSync(join(folder, 'lib', 'routes.js'), 'changed'),
  'a module with an old time': folder => utimesSync(join(folder, 'lib', 'routes.js'), 0, 0),
  'a module that was moved there': folder =>
    renameSync(join(folder, 'src', 'main.js'), join(folder, 'lib', 'other.ts')),
  'package.json': folder => writeFileSync(join(folder, 'package.json'), '{}'),
  'a file for dotenv': folder => writeFileSync(join(folder, '.env'), 'A=b'),
  'a package': folder => mkdirSync(join(folder, 'node_modules', 'express')),
}

for (const [name, change] of Object.entries(CHANGES)) {
  void t.test(`${name} is a change`, async t => {
    const { folder, file, madeAt } = await madePackage(t)
    const code = codeOf(file)
    t.notOk(code.changedSince(madeAt))
    change(folder)
    t.ok(code.changedSince(madeAt))
  })
}

void t.test('files that an app writes while it runs are no change', async t => {
  const { folder, file, madeAt } = await madePackage(t)
  for (const path of ['uploads/a.png', 'db.json', 'app.log', '.git/hook.js']) writeFileSync(join(folder, path), '')
  t.notOk(codeOf(file).changedSince(madeAt))
})

void t.test('the main module has another name when it was written, or is another file', async t => {
  const { folder, file } = await madePackage(t)
  const before = codeOf(file).main
  t.equal(codeOf(file).main, before)
  utimesSync(file, 0, 0)
  t.not(codeOf(file).main, before)
  t.equal(codeOf(join(folder, 'missing.js')).main, '')
})
