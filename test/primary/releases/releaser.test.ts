import { join } from 'node:path'
import t from 'tap'
import { ControlError } from '#src/control/protocol.js'
import type { Logger } from '#src/process/log.js'
import type { ReleaseRunner } from '#src/primary/releases/release-runner.js'
import { ReleaseStore } from '#src/primary/releases/release-store.js'
import type { Previewing } from '#src/primary/releases/preview.js'
import type { Switching } from '#src/primary/releases/release-switch.js'
import { Releaser, type ReleaserOptions } from '#src/primary/releases/releaser.js'
import { temporaryFolder } from '../../helpers/harness.js'

void t.test('an outcome that a full disk does not record stands, and is in the log', async t => {
  const full = (): never => {
    throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  }
  const store = {
    get: () => undefined,
    filesOf: () => undefined,
    takenBack: full,
    setPreviewed: () => undefined,
    endPreview: full,
  }
  let watcher: Switching['watcher'] | undefined
  let previewed: Previewing['watcher'] | undefined
  const runner = {
    releases: { current: 'r1' },
    changeRelease: (switching: Switching) => (watcher = switching.watcher),
    previewRelease: (previewing: Previewing) => (previewed = previewing.watcher),
    routed: () => Promise.resolve(),
  }
  const failures: string[] = []
  const log = {
    error: (_facts: object, message: string) => failures.push(message),
    info: () => undefined,
  }
  const releaser = new Releaser({ store, runner, previewKey: 'key', log } as unknown as ReleaserOptions)
  const change = releaser.change('r2', [], 0, () => undefined)
  watcher?.takenBack({ reason: 'it fails' }, () => undefined)
  await t.rejects(change, { code: 'TAKEN_BACK' })
  t.notOk(releaser.isChanging)
  const preview = releaser.preview('r3', () => undefined)
  previewed?.ready()
  t.match(await preview, { release: 'r3' })
  previewed?.ended()
  const unrecorded = 'outcome of release could not be recorded'
  t.strictSame(failures, [unrecorded, 'release is taken back', unrecorded])
})

void t.test('a release in preview is not lost when its activation is refused, a new one is taken back', async t => {
  const store = ReleaseStore.open(join(temporaryFolder(t), 'releases'))
  const runner = {
    changeRelease: () => {
      throw new ControlError('RELOAD_UNDER_WAY')
    },
  } as unknown as ReleaseRunner
  const releaser = new Releaser({ store, runner, previewKey: '', log: {} as Logger })
  const refused = async (id: string): Promise<unknown> => {
    try {
      return await releaser.change(id, [], 0, () => undefined)
    } catch (error) {
      return (error as ControlError).code
    }
  }
  store.keep(store.draft(), 'test', {})
  store.setPreviewed('r1')
  store.keep(store.draft(), 'test', {})
  t.equal(await refused('r1'), 'RELOAD_UNDER_WAY')
  t.equal(await refused('r2'), 'RELOAD_UNDER_WAY')
  t.strictSame([store.has('r1'), store.has('r2')], [true, false])
  t.notOk(releaser.isChanging)
})
