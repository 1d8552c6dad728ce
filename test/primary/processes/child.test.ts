import { closeSync, openSync } from 'node:fs'
import t from 'tap'
import type { ChildRole } from '#src/primary/plan/observed.js'
import { Child } from '#src/primary/processes/child.js'
import { program } from '../../helpers/cluster.js'
import { within } from '../../helpers/deadline.js'

for (const role of ['balancer', 'worker'] as ChildRole[]) {
  void t.test(`a ${role} that could not be started counts as exited, with the reason`, async t => {
    const { execPath } = process
    const lifelineFd = openSync('/dev/null', 'r+')
    t.teardown(() => {
      closeSync(lifelineFd)
      process.execPath = execPath
    })
    process.execPath = '/no/such/node'
    const exits: Child[] = []
    const child = Child.fork(
      '1',
      { role, release: 'live', place: 0, generation: 0 },
      { program, lifelineFd },
      {
        childReported: () => undefined,
        childExited: child => exits.push(child),
        childPrinted: () => undefined,
      },
    )
    child.send({ type: 'drain' })
    child.stop(0, 0)
    await within(child.exited, 'its end')
    t.strictSame(exits, [child])
    t.match(child, { state: 'exited', ending: 'could not be started: ENOENT', servedMs: 0 })
    child.kill()
  })
}
