import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { Spare } from '#src/primary/processes/spare.js'
import type { Harness } from '../../helpers/harness.js'

/** Forks processes that wait. */
function forks(t: Harness): { fork: () => ChildProcess; forked: ChildProcess[] } {
  const forked: ChildProcess[] = []
  const fork = (): ChildProcess => {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' })
    forked.push(child)
    return child
  }
  t.teardown(() => forked.forEach(child => child.kill('SIGKILL')))
  return { fork, forked }
}

void t.test('one spare is kept, and only the worker that it was started for may take it', t => {
  const spare = new Spare()
  const { fork, forked } = forks(t)
  spare.prepare('a', fork)
  spare.prepare('a', fork)
  t.equal(forked.length, 1)
  t.equal(spare.take('b'), undefined)
  t.equal(spare.take('a'), forked[0])
  t.equal(spare.take('a'), undefined, 'only once')
  t.notOk(spare.isReady)
  t.end()
})

void t.test('a spare for something else is ended', async t => {
  const spare = new Spare()
  const { fork, forked } = forks(t)
  spare.prepare('a', fork)
  const ended = once(forked[0] as ChildProcess, 'exit')
  spare.prepare('b', fork)
  await ended
  t.equal(spare.take('b'), forked[1])
})

void t.test('a spare that is dropped ends', async t => {
  const spare = new Spare()
  const { fork, forked } = forks(t)
  spare.prepare('a', fork)
  const ended = once(forked[0] as ChildProcess, 'exit')
  spare.drop()
  await ended
  t.notOk(spare.isReady)
})

void t.test('a spare that ends is replaced, but not for ever', async t => {
  const spare = new Spare()
  const { fork, forked } = forks(t)
  for (let i = 0; i < 5; i += 1) {
    spare.prepare('a', fork)
    const child = forked[i]
    if (child === undefined) break
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  t.equal(forked.length, 3)
})
