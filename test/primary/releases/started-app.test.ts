import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Logger } from '#src/process/log.js'
import { ReleaseStore } from '#src/primary/releases/release-store.js'
import { StartedApp, type StartedAppOptions } from '#src/primary/releases/started-app.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'
import { folderOf } from '../../helpers/releases.js'

/** An app that is started, and what is said of it. */
function startedApp(t: Harness, facts: Partial<StartedAppOptions> = {}) {
  const dataDir = temporaryFolder(t)
  const store = ReleaseStore.open(join(dataDir, 'releases'))
  const app = folderOf(t, { 'app.js': 'one' })
  const warnings: string[] = []
  let warned: () => void = () => undefined
  const warning = new Promise<void>(resolve => (warned = resolve))
  const warn = (line: string): void => {
    warnings.push(line)
    warned()
  }
  const log = { warn } as unknown as Logger
  const started = new StartedApp({ store, app, startedIn: app, dataDir, minFreeBytes: 0, log, ...facts })
  return { app, store, started, warnings, warning }
}

void t.test('the app as it was started is kept when another release comes, once', async t => {
  const { app, store, started, warnings } = startedApp(t)
  await started.start()
  await started.keep()
  writeFileSync(join(app, 'app.js'), 'two')
  await started.keep()
  t.equal(readFileSync(join(store.filesOf('start')!, 'app.js'), 'utf8'), 'one')
  t.strictSame(warnings, [])
})

void t.test('a copy that hangs is given up and named in one line, and deploys go on without it', async t => {
  let signal: AbortSignal | undefined
  const { store, started, warnings, warning } = startedApp(t, {
    copyTimeoutMs: 1,
    copy: (_app, _to, _written, options) => {
      ;({ signal } = options)
      // It may be late already, since the free space is looked at first.
      const given = signal.aborted ? Promise.resolve() : once(signal, 'abort')
      return given.then(() => Promise.reject(options.signal.reason as Error))
    },
  })
  await started.start()
  await warning
  await started.keep()
  await started.keep()
  t.ok(signal?.aborted)
  t.equal(store.filesOf('start'), undefined)
  t.strictSame(warnings, [
    'app could not be copied: its copy took longer than 0.001 s; release start runs what is in its folder, even after a deploy',
  ])
})

void t.test('an app outside of the folder in which it was started is named at the first deploy', async t => {
  const { started, warnings } = startedApp(t, { app: '/elsewhere/app.js' })
  await started.start()
  t.strictSame(warnings, [])
  await started.keep()
  await started.keep()
  t.equal(warnings.length, 1)
  t.match(warnings[0], 'not in the folder in which it was started')
})

void t.test('the root folder and a home folder are not copied', async t => {
  for (const startedIn of ['/', homedir()]) {
    let copies = 0
    const copy = (): Promise<void> => Promise.resolve(void (copies += 1))
    const { started, warnings } = startedApp(t, { app: join(startedIn, 'shop', 'app.js'), startedIn, copy })
    await started.start()
    await started.keep()
    t.equal(copies, 0)
    t.match(warnings, [`it was started in ${startedIn}, not in a folder of its own`])
  }
})

void t.test('a stop gives up the copy, and says nothing of it', async t => {
  const { store, started, warnings } = startedApp(t)
  mkdirSync(store.startedDraft(), { recursive: true })
  await started.start()
  await started.stop()
  await started.keep()
  t.equal(store.filesOf('start'), undefined)
  t.strictSame(warnings, [])
  t.notOk(existsSync(join(store.startedDraft(), 'app.js')))
})

void t.test('the app is not copied where too little of the disk is free', async t => {
  const { store, started, warnings, warning } = startedApp(t, { minFreeBytes: Number.MAX_SAFE_INTEGER })
  await started.start()
  await warning
  t.match(warnings, [/^app could not be copied: less than \d+ MiB of the disk are free/])
  await started.keep()
  t.equal(store.filesOf('start'), undefined)
})
