import { ChildProcess } from 'node:child_process'
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

/** Ends of a process, and whose fault each is. */
const ends: ReadonlyArray<{ code?: number; signal?: NodeJS.Signals; killedFor?: string; expected: Partial<Child> }> = [
  { code: 1, expected: { ending: 'exit code 1', endedByFault: true, hasFailed: false } },
  { signal: 'SIGTERM', expected: { ending: 'SIGTERM', endedByFault: false, hasFailed: false } },
  { signal: 'SIGKILL', expected: { ending: 'SIGKILL', endedByFault: false, hasFailed: false } },
  { signal: 'SIGSEGV', expected: { ending: 'SIGSEGV', endedByFault: true, hasFailed: true } },
  { signal: 'SIGKILL', killedFor: 'SIGTERM', expected: { ending: 'SIGTERM', endedByFault: true, hasFailed: true } },
]

void t.test('a signal from outside is no fault of a process, whatever the primary says when it kills one', async t => {
  for (const { code, signal, killedFor, expected } of ends) {
    const process = new ChildProcess()
    const observer = { childReported: () => undefined, childExited: () => undefined, childPrinted: () => undefined }
    const child = Child.adopt('1', { role: 'worker', release: 'live', place: 0, generation: 0 }, process, observer)
    if (killedFor !== undefined) child.kill(killedFor)
    process.emit('exit', code ?? null, signal ?? null)
    await within(child.exited, 'its end')
    t.match(child, expected, `${code ?? signal}${killedFor === undefined ? '' : ', killed by the primary'}`)
  }
})
