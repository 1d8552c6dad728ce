import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { endLeftovers, Lifeline, spawnGuarded } from '#src/primary/host/lifeline.js'
import { until } from '../../helpers/deadline.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'
import { isAlive } from '../../helpers/processes.js'

/** A process that has the pipe open, like a worker. */
function holder(t: Harness, path: string, script = 'exec sleep 60'): ChildProcess {
  const pipe = openSync(path, 'r+')
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore', pipe] })
  closeSync(pipe)
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

void t.test('a closed lifeline leaves no pipe behind', t => {
  const path = join(temporaryFolder(t), 'lifeline')
  const lifeline = Lifeline.open(path)
  t.ok(existsSync(path))
  lifeline.close()
  t.notOk(existsSync(path))
  t.end()
})

void t.test('a start ends the processes that have the last lifeline open, and no others', async t => {
  const path = join(temporaryFolder(t), 'lifeline')
  const lifeline = Lifeline.open(path)
  t.teardown(() => lifeline.close())
  const polite = holder(t, path)
  const deaf = holder(t, path, 'trap "" TERM; echo deaf; while :; do sleep 60; done')
  const stranger = spawn('sleep', ['60'])
  t.teardown(() => stranger.kill('SIGKILL'))
  await once(deaf.stdout!, 'data')

  t.ok((await endLeftovers(path)) >= 2)
  await until(() => !isAlive(polite.pid!) && !isAlive(deaf.pid!), 'their end')
  t.ok(isAlive(stranger.pid!))
  t.equal(await endLeftovers(path), 0)
})

void t.test('a start without an earlier lifeline ends nothing', async t => {
  t.equal(await endLeftovers(join(temporaryFolder(t), 'lifeline')), 0)
})

void t.test('a guarded server ends when the last holder of the lifeline has exited', async t => {
  const path = join(temporaryFolder(t), 'lifeline')
  const lifeline = Lifeline.open(path)
  // The pipe is held by a separate process, because the test itself also has it open.
  const worker = holder(t, path)
  const guard = spawnGuarded(path, ['sh', '-c', 'echo $$; exec sleep 60'])
  const [first] = (await once(guard.stdout, 'data')) as [Buffer]
  const server = Number(first.toString())
  t.teardown(() =>
    [guard.pid, server].forEach(pid => pid !== undefined && isAlive(pid) && process.kill(pid, 'SIGKILL')),
  )

  lifeline.close()
  t.ok(isAlive(server), 'a worker still holds the lifeline')
  worker.kill('SIGKILL')
  await once(guard, 'exit')
  await until(() => !isAlive(server), 'the end of the server')
})

void t.test('a server guard forwards signals to its server and returns its exit code', async t => {
  const path = join(temporaryFolder(t), 'lifeline')
  const lifeline = Lifeline.open(path)
  t.teardown(() => lifeline.close())
  const script = 'trap "exit 7" TERM; echo up; while :; do sleep 0.01; done'
  const guard = spawnGuarded(path, ['sh', '-c', script])
  t.teardown(() => guard.exitCode === null && process.kill(-guard.pid!, 'SIGKILL'))
  await once(guard.stdout, 'data')
  guard.kill('SIGTERM')
  const [code] = (await once(guard, 'exit')) as [number]
  t.equal(code, 7)
  t.match(guard.spawnargs.join(' '), /^sh \/.*\/dist\/guards\/server-guard\.sh sh -c/, 'its name in ps')
})
