import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ReleaseStore } from '#src/primary/releases/release-store.js'
import { until } from '../../helpers/deadline.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'

const folderFor = (t: Harness): string => join(temporaryFolder(t), 'releases')

/** Makes a release. @param files of another one */
function make(store: ReleaseStore, live = true, env: Record<string, string> = {}, files?: string): string {
  const draft = store.draft()
  writeFileSync(join(draft.folder, 'index.js'), draft.id)
  store.keep(draft, 'test', env, { main: 'index.js', ...(files !== undefined && { files }) })
  if (live) store.setLive(draft.id)
  return draft.id
}

void t.test('without a release the code of the start is live, and nothing is written', t => {
  const folder = folderFor(t)
  const store = ReleaseStore.open(folder)
  t.strictSame([store.live, store.previous, store.list()], ['start', undefined, []])
  t.equal(store.filesOf('start'), undefined)
  t.notOk(existsSync(folder))
  t.end()
})

void t.test('the live release and the previous one are known to the next start', t => {
  const folder = folderFor(t)
  const store = ReleaseStore.open(folder)
  make(store)
  make(store, true, { COLOUR: 'red' })
  const again = ReleaseStore.open(folder)
  t.strictSame([again.live, again.previous], ['r2', 'r1'])
  t.equal(again.filesOf('r2'), join(folder, 'r2', 'app'))
  t.strictSame([again.envOf('r1'), again.envOf('r2')], [{}, { COLOUR: 'red' }])
  t.equal(statSync(join(folder, 'r2', 'env.json')).mode & 0o777, 0o600)
  t.end()
})

void t.test('a release in preview is known to the next start, until it is over', t => {
  const folder = folderFor(t)
  const store = ReleaseStore.open(folder)
  make(store)
  const id = make(store, false)
  store.setPreviewed(id)
  const again = ReleaseStore.open(folder)
  t.strictSame([again.preview, again.live, again.get(id)?.outcome], [id, 'r1', 'previewed'])
  again.endPreview('r1')
  t.equal(again.preview, id, 'that of another one ends nothing')
  again.endPreview(id)
  t.strictSame([again.preview, ReleaseStore.open(folder).preview], [undefined, undefined])
  again.setPreviewed(id)
  again.takenBack(id, 'it has failed')
  t.equal(again.preview, undefined, 'it has no files')
  t.end()
})

void t.test('a release that is removed is gone at once, and then from the disk', async t => {
  const folder = folderFor(t)
  const store = ReleaseStore.open(folder)
  make(store)
  const id = make(store, false)
  store.takenBack(id, 'bad')
  t.notOk(existsSync(join(folder, id, 'app')))
  await until(() => readdirSync(folder).every(name => !name.startsWith('.')), 'the end of its files')
  t.end()
})

void t.test('the next start removes what a crash has left of a deploy, and does not use its number again', t => {
  const folder = folderFor(t)
  const store = ReleaseStore.open(folder)
  make(store)
  make(store, false)
  store.draft()
  const again = ReleaseStore.open(folder)
  t.equal(again.live, 'r1')
  t.match(again.list()[0], { id: 'r2', outcome: 'taken-back', reason: 'its deploy was cut short' })
  t.notOk(existsSync(join(folder, 'r2', 'app')))
  t.strictSame(readdirSync(folder).sort(), ['r1', 'r2', 'state.before.json', 'state.json'])
  t.equal(make(again), 'r4')
  t.end()
})

void t.test('the last five are kept, and all that these, the live one and the previous one need', t => {
  const folder = folderFor(t)
  const store = ReleaseStore.open(folder)
  make(store)
  for (let i = 0; i < 3; i++) make(store)
  make(store, true, {}, 'r1')
  for (let i = 0; i < 3; i++) make(store)
  const kept = (): string[] => store.list().map(({ id }) => id)
  t.strictSame(kept(), ['r8', 'r7', 'r6', 'r5', 'r4', 'r1'], 'r5 runs the files of r1')
  t.equal(store.filesOf('r5'), join(folder, 'r1', 'app'))
  for (let i = 0; i < 5; i++) make(store)
  t.strictSame(kept(), ['r13', 'r12', 'r11', 'r10', 'r9'])
  store.setLive('r9')
  for (let i = 0; i < 9; i++) make(store, false)
  store.prune()
  t.ok(kept().includes('r9') && kept().includes('r13'))
  t.end()
})

void t.test('a release that is taken back keeps its record, and one that was live its files', t => {
  const folder = folderFor(t)
  const store = ReleaseStore.open(folder)
  make(store)
  make(store, false)
  store.takenBack('r2', 'it crashed')
  store.takenBack('r1', 'a rollback to it failed')
  t.notOk(store.has('r2'))
  t.ok(store.has('r1'))
  t.match(store.get('r2'), { reason: 'it crashed' })
  t.ok(existsSync(join(folder, 'r1', 'app', 'index.js')))
  t.end()
})

void t.test('names that are no release lead nowhere', t => {
  const store = ReleaseStore.open(folderFor(t))
  make(store)
  for (const name of ['../r1', 'r1/../r1', '.new-r2', '', 'r99']) t.notOk(store.has(name), name)
  t.end()
})

void t.test('a release that a power cut has damaged is not served: the previous one is, and the damage is named', t => {
  const damages: Record<string, [file: string, content: string | undefined, reason: RegExp]> = {
    'a record of which nothing is there': ['r2/release.json', '', /release\.json cannot be read/],
    'a record that is torn': ['r2/release.json', '{"id":"r2","at":17', /release\.json cannot be read/],
    'a record of zeros': ['r2/release.json', '\0'.repeat(99), /release\.json cannot be read/],
    'variables that are torn': ['r2/env.json', '{"A":', /env\.json cannot be read/],
    'variables that are gone': ['r2/env.json', undefined, /env\.json is missing/],
    'an app of which nothing is there': ['r2/app/index.js', '', /index\.js is empty/],
    'an app of zeros': ['r2/app/index.js', '\0\0\0', /index\.js is empty/],
    'an app that is gone': ['r2/app/index.js', undefined, /index\.js is missing/],
    'a manifest of which nothing is there': ['r2/app/package.json', '', /package\.json is empty/],
  }
  for (const [name, [file, content, reason]] of Object.entries(damages)) {
    const folder = folderFor(t)
    const store = ReleaseStore.open(folder)
    make(store)
    make(store)
    t.equal(ReleaseStore.open(folder).damage, undefined)
    if (content === undefined) rmSync(join(folder, file))
    else writeFileSync(join(folder, file), content)
    const again = ReleaseStore.open(folder)
    t.strictSame([again.live, again.previous], ['r1', undefined], name)
    t.match(again.damage, /^live release r2 is damaged: .*; r1 is served$/, name)
    t.match(again.damage, reason, name)
    t.match(again.get('r2'), { outcome: 'taken-back', reason }, 'nobody goes back to it')
    t.equal(make(again), 'r3')
    t.equal(ReleaseStore.open(folder).damage, undefined, 'it is said once')
  }
  t.end()
})

void t.test('a release that only changes variables needs the files of another one, but not its record', t => {
  const folder = folderFor(t)
  const store = ReleaseStore.open(folder)
  make(store)
  make(store, true, { A: '1' }, 'r1')
  store.setLive('r1')
  writeFileSync(join(folder, 'r1', 'release.json'), '')
  const again = ReleaseStore.open(folder)
  t.equal(again.live, 'r2')
  t.match(again.damage, /^live release r1 is damaged: .*release\.json cannot be read/)
  for (let i = 0; i < 12; i++) again.takenBack(make(again, false), 'bad')
  t.ok(existsSync(join(folder, 'r1', 'app', 'index.js')), 'its files are kept for the one that runs them')
  writeFileSync(join(folder, 'r1', 'app', 'index.js'), '')
  t.throws(() => ReleaseStore.open(folder), /names r2, which is damaged: .*r1.*index\.js is empty/)
  rmSync(join(folder, 'r1', 'app'), { recursive: true })
  t.throws(() => ReleaseStore.open(folder), /names r2, which is damaged: .*r1.*app is missing/)
  t.end()
})

void t.test('the previous state is used when a power cut has damaged the last one', t => {
  for (const content of ['', '{"live":"r', '\0\0']) {
    const folder = folderFor(t)
    const store = ReleaseStore.open(folder)
    make(store)
    make(store)
    writeFileSync(join(folder, 'state.json'), content)
    const again = ReleaseStore.open(folder)
    t.equal(again.live, 'r1')
    t.match(again.damage, /state\.json cannot be read: .*; the previous state is used/)
    t.equal(make(again), 'r3', 'no number is used again')
  }
  t.end()
})

void t.test('a state that cannot be read, with none before, is named, and nothing is guessed', t => {
  const folder = folderFor(t)
  make(ReleaseStore.open(folder))
  writeFileSync(join(folder, 'state.json'), '{"live":"r7","last":9}')
  t.throws(() => ReleaseStore.open(folder), /names r7, which is not there/)
  writeFileSync(join(folder, 'state.json'), '{')
  writeFileSync(join(folder, 'state.before.json'), '{')
  t.throws(() => ReleaseStore.open(folder), /state\.before\.json cannot be read/)
  rmSync(join(folder, 'state.before.json'))
  t.throws(() => ReleaseStore.open(folder), /state\.json cannot be read/)
  t.end()
})
