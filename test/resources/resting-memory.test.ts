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

void t.test('a process that was busy collects when it comes to rest and five seconds later, and then no more', t => {
  t.strictSame(collectedAfter([...seconds(3, 0.9), ...seconds(60, 0)]), [4, 9])
  t.strictSame(collectedAfter([0.9, ...seconds(10, 0.05)]), [2, 7], 'a little work is rest')
  t.end()
})

void t.test('each load is followed by two collections', t => {
  t.strictSame(collectedAfter([0.9, ...seconds(9, 0), 0.9, ...seconds(9, 0)]), [2, 7, 12, 17])
  t.end()
})

void t.test('a start is a load, and some work after it is none', t => {
  t.strictSame(collectedAfter(seconds(60, 0)), [1, 6])
  t.strictSame(collectedAfter([...seconds(6, 0), ...seconds(60, 0.2), ...seconds(60, 0)]), [1, 6])
  t.end()
})

void t.test('a process that does not rest collects nothing, and one that pauses collects once a pause', t => {
  t.strictSame(collectedAfter(seconds(20, 0.9)), [])
  t.strictSame(collectedAfter(Array.from({ length: 15 }, (_, second) => (second % 5 === 0 ? 0.9 : 0))), [2, 7, 12])
  t.end()
})
