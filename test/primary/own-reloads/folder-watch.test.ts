import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import t from 'tap'
import { FolderWatch } from '#src/primary/own-reloads/folder-watch.js'
import { until } from '../../helpers/deadline.js'
import type { Harness } from '../../helpers/harness.js'
import { folderOf } from '../../helpers/releases.js'

const FILES = { 'app.js': '', 'lib/a.js': '', 'lib/deep/b.js': '', 'node_modules/x/index.js': '', '.outpost/log': '' }

async function watched(t: Harness, paths: readonly string[], ignored: readonly string[] = []) {
  const folder = folderOf(t, FILES)
  const [changes, faults]: [string[], string[]] = [[], []]
  const watch = new FolderWatch({
    folder,
    paths,
    ignored,
    dataDir: join(folder, 'data'),
    onChange: path => changes.push(path),
    onFault: reason => faults.push(reason),
  })
  t.teardown(() => watch.stop())
  await watch.start()
  const write = (name: string): void => writeFileSync(join(folder, name), 'x')
  /** The changes that were reported, with one at the end that is certainly seen. */
  const told = async (last: string): Promise<string[]> => {
    write(last)
    await until(() => changes.at(-1) === last, `a change of ${last}`)
    return changes
  }
  return { folder, changes, faults, watch, write, told }
}

void t.test('changes at any depth are reported once, when it is quiet', async t => {
  const { watch, write, told } = await watched(t, ['.'])
  t.equal(watch.folders, 3, 'the folder, lib and lib/deep')
  for (const name of ['app.js', 'lib/a.js', 'lib/new.js']) write(name)
  t.strictSame(await told('lib/deep/b.js'), ['lib/deep/b.js'])
})

void t.test('packages, hidden files, DATA_DIR and what is ignored are not watched', async t => {
  const { folder, write, told } = await watched(t, ['.'], ['*.log', 'tmp/'])
  mkdirSync(join(folder, 'data'))
  mkdirSync(join(folder, 'tmp'))
  await sleep(50)
  for (const name of ['node_modules/x/index.js', '.outpost/log', '.env', 'noise.log', 'data/x', 'tmp/x']) write(name)
  await sleep(600)
  t.strictSame(await told('app.js'), ['app.js'])
})

void t.test('a folder that comes later is watched, and one that goes is not', async t => {
  const { folder, changes, watch, told } = await watched(t, ['.'])
  mkdirSync(join(folder, 'views/parts'), { recursive: true })
  await until(() => watch.folders === 5, 'both folders')
  await told('views/parts/head.html')
  renameSync(join(folder, 'views/parts/head.html'), join(folder, 'views/parts/foot.html'))
  await until(() => changes.length === 2, 'the new name')
  rmSync(join(folder, 'views'), { recursive: true })
  await until(() => watch.folders === 3, 'the end of both')
  t.pass()
})

void t.test('a folder that takes the place of one that was moved away is watched at any depth', async t => {
  const { folder, watch, told } = await watched(t, ['.'])
  renameSync(join(folder, 'lib'), join(folder, '.old'))
  await until(() => watch.folders === 1, 'the end of both')
  mkdirSync(join(folder, 'lib/deep'), { recursive: true })
  await until(() => watch.folders === 3, 'both again')
  t.equal((await told('lib/deep/c.js')).at(-1), 'lib/deep/c.js')
})

void t.test('a single file is watched although editors replace it, and nothing beside it', async t => {
  const { folder, changes, faults, write, told } = await watched(t, ['app.js', 'none.js'])
  t.strictSame(faults, ['none.js is missing or cannot be read'])
  write('other.js')
  writeFileSync(join(folder, 'draft'), 'y')
  renameSync(join(folder, 'draft'), join(folder, 'app.js'))
  await until(() => changes.length === 1, 'the change')
  t.strictSame(await told('app.js'), ['app.js', 'app.js'].slice(0, changes.length))
})
