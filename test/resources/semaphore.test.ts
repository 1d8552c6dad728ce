import t from 'tap'
import { QueueFullError } from '#src/resources/queued-places.js'
import { Semaphore } from '#src/resources/semaphore.js'

/** Enters, and notes its name once it is in. */
async function enter(semaphore: Semaphore, name: string, admitted: string[]): Promise<() => void> {
  const leave = await semaphore.enter()
  admitted.push(name)
  return leave
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

void t.test('two permits admit two, and the others wait in order', async t => {
  const admitted: string[] = []
  const semaphore = new Semaphore(2, 2)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => enter(semaphore, name, admitted))
  await turn()
  t.strictSame(admitted, ['a', 'b'])
  ;(await a)?.()
  await c
  t.strictSame(admitted, ['a', 'b', 'c'])
  ;(await b)?.()
  await d
  t.strictSame(admitted, ['a', 'b', 'c', 'd'])
})

void t.test('a full queue refuses at once and keeps its places', async t => {
  const semaphore = new Semaphore(1, 1)
  const leave = await semaphore.enter()
  const waiting = semaphore.enter()
  await t.rejects(semaphore.enter(), QueueFullError)
  leave()
  t.type(await waiting, 'function')
})

void t.test('an aborted wait frees its place in the queue', async t => {
  const semaphore = new Semaphore(1, 1)
  const leave = await semaphore.enter()
  const client = new AbortController()
  const waiting = semaphore.enter(client.signal)
  client.abort(new Error('gone'))
  await t.rejects(waiting, { message: 'gone' })
  const next = semaphore.enter()
  leave()
  t.type(await next, 'function')
})

void t.test('an aborted signal takes no permit', async t => {
  const semaphore = new Semaphore(1, 0)
  await t.rejects(semaphore.enter(AbortSignal.abort(new Error('gone'))), { message: 'gone' })
  t.type(await semaphore.enter(), 'function')
})

void t.test('an abort after the turn has come changes nothing', async t => {
  const semaphore = new Semaphore(1, 1)
  const leave = await semaphore.enter()
  const client = new AbortController()
  const waiting = semaphore.enter(client.signal)
  leave()
  client.abort()
  const leaveLate = await waiting
  await t.resolves(Promise.resolve(leaveLate()))
  t.type(await semaphore.enter(), 'function')
})

void t.test('a permit that is given back twice counts once', async t => {
  const semaphore = new Semaphore(1, 1)
  const leave = await semaphore.enter()
  leave()
  leave()
  await semaphore.enter()
  const second = semaphore.enter()
  await turn()
  await t.rejects(semaphore.enter(), QueueFullError, 'one holds, one waits')
  void second
})

void t.test('more permits admit waiters, and fewer hold until holders have left', async t => {
  const semaphore = new Semaphore(1, 3)
  const admitted: string[] = []
  const enter = async (name: string): Promise<() => void> => {
    const leave = await semaphore.enter()
    admitted.push(name)
    return leave
  }
  const a = await enter('a')
  const [b, c, d] = [enter('b'), enter('c'), enter('d')]
  semaphore.resize(2, 3)
  await b
  t.strictSame(admitted, ['a', 'b'])
  semaphore.resize(1, 2)
  await t.rejects(semaphore.enter(), QueueFullError)
  a()
  ;(await b)()
  await c
  t.strictSame(admitted, ['a', 'b', 'c'])
  ;(await c)()
  await d
})
