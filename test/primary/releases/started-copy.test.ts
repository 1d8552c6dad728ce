import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
  type Dir,
  type Dirent,
} from 'node:fs'
import * as disk from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { copyApp as copyAppUntil, CopyError, type CopyLimits, type Disk } from '#src/primary/releases/started-copy.js'
import { temporaryFolder } from '../../helpers/harness.js'
import { folderOf } from '../../helpers/releases.js'

const copyApp = (from: string, to: string, written: string, limits?: CopyLimits): Promise<void> =>
  copyAppUntil(from, to, written, { signal: new AbortController().signal, ...(limits && { limits }) })

void t.test('an app is copied without its packages, which the copy finds where they are', async t => {
  const from = folderOf(t, {
    'app.js': 'one',
    'lib/part.js': 'part',
    'node_modules/express/index.js': 'express',
    'packages/tool/node_modules/zod/index.js': 'zod',
    '.env': 'A=1',
    '.git/HEAD': 'x',
    'data/secret': 'x',
  })
  symlinkSync('lib/part.js', join(from, 'inner'))
  symlinkSync('../outside', join(from, 'outer'))
  const to = join(temporaryFolder(t), 'copy')
  await copyApp(from, to, join(from, 'data'))
  writeFileSync(join(from, 'app.js'), 'two')
  const text = (name: string): string => readFileSync(join(to, name), 'utf8')
  t.strictSame([text('app.js'), text('lib/part.js'), text('.env'), text('inner')], ['one', 'part', 'A=1', 'part'])
  t.equal(realpathSync(join(to, 'node_modules')), realpathSync(join(from, 'node_modules')))
  t.equal(text('packages/tool/node_modules/zod/index.js'), 'zod')
  t.equal(readlinkSync(join(to, 'outer')), join(from, '../outside'))
  t.strictSame([existsSync(join(to, '.git')), existsSync(join(to, 'data'))], [false, false])
})

void t.test('packages of a folder above the app are found by the copy, and an older copy is replaced', async t => {
  const above = folderOf(t, { 'node_modules/express/index.js': 'express', 'app/app.js': 'one', 'copy/old.js': 'old' })
  await copyApp(join(above, 'app'), join(above, 'copy'), '')
  t.equal(readFileSync(join(above, 'copy/node_modules/express/index.js'), 'utf8'), 'express')
  t.notOk(existsSync(join(above, 'copy/old.js')))
})

void t.test(
  'a folder that is written to under another name is left out, and so is a file that cannot be read',
  async t => {
    const real = folderOf(t, { 'app.js': 'one', 'data/log': 'x', 'closed/a.js': '' })
    const link = join(temporaryFolder(t), 'link')
    symlinkSync(real, link)
    chmodSync(join(real, 'closed'), 0)
    t.teardown(() => chmodSync(join(real, 'closed'), 0o700))
    const to = join(real, 'data', 'copy')
    await copyApp(link, to, join(real, 'data'))
    t.strictSame(readdirSync(to).sort(), ['app.js', 'closed'])
    await copyApp(real, to, join(link, 'data'))
    t.strictSame(readdirSync(to).sort(), ['app.js', 'closed'])
  },
)

void t.test('a socket and a named pipe are no part of an app', async t => {
  const from = folderOf(t, { 'app.js': 'one' })
  execFileSync('mkfifo', [join(from, 'pipe')])
  const server = net.createServer().listen(join(from, 'socket'))
  await once(server, 'listening')
  t.teardown(() => server.close())
  const to = join(temporaryFolder(t), 'copy')
  await copyApp(from, to, '')
  t.strictSame(readdirSync(to), ['app.js'])
})

void t.test('an app that is too large is not kept', async t => {
  const from = folderOf(t, { 'a.js': 'x'.repeat(2_000_000), 'b.js': '', 'c/d.js': '' })
  mkdirSync(join(from, 'e'))
  const to = join(temporaryFolder(t), 'copy')
  await t.rejects(
    copyApp(from, to, '', { maxEntries: 4, maxBytes: 3_000_000 }),
    new CopyError('it has more than 4 files beside its packages'),
  )
  await t.rejects(
    copyApp(from, to, '', { maxEntries: 9, maxBytes: 1 << 20 }),
    new CopyError('it has more than 1 MiB beside its packages'),
  )
  t.notOk(existsSync(to), 'nothing is left of it')
})

void t.test('a folder of very many files is not read whole to find that it is too large', async t => {
  let read = 0
  async function* endless(): AsyncGenerator<Partial<Dirent>> {
    for (;;) yield await Promise.resolve({ name: `f${(read += 1)}`, isDirectory: () => true })
  }
  const opendir = (): Promise<Dir> => Promise.resolve(endless() as unknown as Dir)
  const to = join(temporaryFolder(t), 'copy')
  const { signal } = new AbortController()
  const limits = { maxEntries: 10, maxBytes: 0 }
  const tooMany = new CopyError('it has more than 10 files beside its packages')
  await t.rejects(copyAppUntil('/', to, '', { signal, limits, disk: { ...disk, opendir } }), tooMany)
  t.equal(read, 11)
})

for (const call of ['rm', 'opendir', 'copyFile'] as const) {
  void t.test(`a copy ends with its signal while ${call} hangs, and is removed once the disk answers`, async t => {
    const from = folderOf(t, { 'a.js': 'one', 'b.js': 'two' })
    const to = join(temporaryFolder(t), 'copy')
    const giveUp = new AbortController()
    let answer: () => void = () => undefined
    const answered = new Promise<void>(resolve => (answer = resolve))
    let calls = 0
    let cleared: () => void = () => undefined
    const gone = new Promise<void>(resolve => (cleared = resolve))
    const hanging = async (...args: unknown[]): Promise<unknown> => {
      calls += 1
      if (calls === 1) {
        giveUp.abort(new Error('too late'))
        await answered
      }
      return (disk[call] as (...args: unknown[]) => Promise<unknown>)(...args)
    }
    const rm: Disk['rm'] = async (...args) => {
      await (call === 'rm' ? hanging(...args) : disk.rm(...args))
      // The first removal is of an older copy.
      if (giveUp.signal.aborted && !existsSync(to) && (call !== 'rm' || calls === 2)) cleared()
    }
    const calling: Disk = { ...disk, ...(call !== 'rm' && { [call]: hanging }), rm }
    await t.rejects(copyAppUntil(from, to, '', { signal: giveUp.signal, disk: calling }), /too late/)
    answer()
    await gone
    t.equal(calls, call === 'rm' ? 2 : 1, 'nothing more is copied')
  })
}
