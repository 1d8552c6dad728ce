import { join } from 'node:path'
import t from 'tap'
import { ControlError } from '#src/control/protocol.js'
import type { Logger } from '#src/process/log.js'
import type { ReleaseRunner } from '#src/primary/releases/release-runner.js'
import { ReleaseStore } from '#src/primary/releases/release-store.js'
import { Releaser } from '#src/primary/releases/releaser.js'
import { temporaryFolder } from '../../helpers/harness.js'

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
