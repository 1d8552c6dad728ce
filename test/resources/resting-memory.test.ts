import t from 'tap'
import { RestingMemory } from '#src/resources/resting-memory.js'

/** @param uses of the event loop, second by second @returns the seconds after which it collected */
function collectedAfter(uses: readonly number[]): number[] {
  const seconds: number[] = []
  let second = 0
  const memory = new RestingMemory(() => seconds.push(second))
  for (const use of uses) {
    second += 1
    memory.look(use)
  }
  return seconds
}

const seconds = (count: number, use: number): number[] => Array.from({ length: count }, () => use)

void t.test('a process that was busy collects once it has been at rest for five seconds, and only once', t => {
  t.strictSame(collectedAfter([...seconds(3, 0.9), ...seconds(60, 0)]), [8])
  t.strictSame(collectedAfter([0.9, ...seconds(10, 0.05)]), [6], 'a little work is rest')
  t.end()
})

void t.test('each load is followed by one collection', t => {
  t.strictSame(collectedAfter([0.9, ...seconds(9, 0), 0.9, ...seconds(9, 0)]), [6, 16])
  t.end()
})

void t.test('a start is a load, and some work after it is none', t => {
  t.strictSame(collectedAfter(seconds(60, 0)), [5])
  t.strictSame(collectedAfter([...seconds(5, 0), ...seconds(60, 0.2), ...seconds(60, 0)]), [5])
  t.end()
})

void t.test('a process that does not rest collects nothing', t => {
  t.strictSame(collectedAfter(seconds(20, 0.9)), [])
  t.strictSame(collectedAfter(Array.from({ length: 60 }, (_, second) => (second % 5 === 0 ? 0.9 : 0))), [])
  t.end()
})
