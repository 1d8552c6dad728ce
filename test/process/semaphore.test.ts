import t from 'tap'
import { QueueFullError, Semaphore } from '#src/process/semaphore.js'

void t.test('so many hold at once, others wait in their order', t => {
  const granted: string[] = []
  const semaphore = new Semaphore<string>(2, 2)
  const acquire = (name: string): void => semaphore.acquire(name, () => granted.push(name))
  for (const name of ['a', 'b', 'c', 'd']) acquire(name)
  t.strictSame(granted, ['a', 'b'])
  t.match(semaphore, { held: 2, waiting: 2 })
  semaphore.release('a')
  t.strictSame(granted, ['a', 'b', 'c'])
  semaphore.release('b')
  t.strictSame(granted, ['a', 'b', 'c', 'd'])
  t.match(semaphore, { held: 2, waiting: 0 })
  t.end()
})

void t.test('one more than may wait is turned away at once', t => {
  const semaphore = new Semaphore<string>(1, 1)
  semaphore.acquire('a', () => undefined)
  semaphore.acquire('b', () => undefined)
  t.throws(() => semaphore.acquire('c', () => t.fail('not granted')), QueueFullError)
  semaphore.release('c')
  t.match(semaphore, { held: 1, waiting: 1 }, 'and leaves nothing behind')
  t.end()
})

void t.test('who waits may leave, and a permit is given back once', t => {
  const granted: string[] = []
  const semaphore = new Semaphore<string>(1, 5)
  for (const name of ['a', 'b', 'c']) semaphore.acquire(name, () => granted.push(name))
  semaphore.release('b')
  semaphore.release('a')
  semaphore.release('a')
  t.strictSame(granted, ['a', 'c'])
  t.match(semaphore, { held: 1, waiting: 0 })
  t.end()
})
