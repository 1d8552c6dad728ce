import t from 'tap'
import { RestingMemory } from '#src/resources/resting-memory.js'

/** @param rates the requests of each second @returns the seconds after which it collected */
function collectedAfter(rates: readonly number[]): number[] {
  const seconds: number[] = []
  let second = 0
  const memory = new RestingMemory(() => seconds.push(second))
  for (const rate of rates) {
    second += 1
    memory.look(rate)
  }
  return seconds
}

const seconds = (count: number, rate: number): number[] => Array.from({ length: count }, () => rate)

void t.test('a process that was busy collects once it has been at rest for five seconds, and only once', t => {
  t.strictSame(collectedAfter([...seconds(3, 5_000), ...seconds(60, 0)]), [8])
  t.strictSame(collectedAfter([5_000, ...seconds(10, 3)]), [6], 'some requests are no load')
  t.end()
})

void t.test('each load is followed by one collection', t => {
  t.strictSame(collectedAfter([5_000, ...seconds(9, 0), 5_000, ...seconds(9, 0)]), [6, 16])
  t.end()
})

void t.test('a process that was never busy, or that never rests, collects nothing', t => {
  t.strictSame(collectedAfter(seconds(60, 100)), [])
  t.strictSame(collectedAfter(seconds(60, 0)), [])
  t.strictSame(collectedAfter(seconds(20, 5_000)), [])
  t.strictSame(collectedAfter(Array.from({ length: 60 }, (_, second) => (second % 5 === 0 ? 5_000 : 0))), [])
  t.end()
})
