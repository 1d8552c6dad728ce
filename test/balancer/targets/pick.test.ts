import t from 'tap'
import { fewestInFlight, leastBusy, roundRobin, weighedLoad, type Pickable } from '#balancer/targets/pick.js'

const target = (inFlight = 0, full = false, readySince = 0): Pickable => ({ inFlight, full, readySince })

/** Returns the given numbers one after the other. */
function drawing(...numbers: number[]): () => number {
  return () => numbers.shift() ?? 0
}

void t.test('round robin gives each target its turn', t => {
  const ready = [target(), target(), target()]
  t.same(
    [0, 1, 2].map(turn => roundRobin(ready, turn)),
    [0, 1, 2],
  )
  t.end()
})

void t.test('round robin skips targets that are full or excluded', t => {
  const ready = [target(), target(9, true), target()]
  t.equal(roundRobin(ready, 1), 2)
  t.equal(roundRobin(ready, 2, new Set([ready[2]!])), 0)
  t.equal(roundRobin(ready, 0, new Set([ready[0]!, ready[2]!])), -1)
  t.equal(roundRobin([], 0), -1)
  t.end()
})

void t.test('the target with the fewest requests in flight is picked, and of several the next in turn', t => {
  const ready = [target(2), target(1), target(1), target(0, true)]
  t.same(
    [0, 1, 2, 3].map(turn => fewestInFlight(ready, turn)),
    [1, 1, 2, 1],
  )
  t.equal(fewestInFlight(ready, 0, new Set([ready[1]!, ready[2]!])), 0)
  t.equal(fewestInFlight(ready, 0, new Set(ready)), -1)
  t.equal(fewestInFlight([], 0), -1)
  t.end()
})

void t.test('least busy picks the less busy of two drawn targets', t => {
  const ready = [target(5), target(3), target(1)]
  const load = (one: Pickable): number => one.inFlight
  t.equal(leastBusy(ready, drawing(0, 0), load), 1, 'of the first and the second')
  t.equal(leastBusy(ready, drawing(0, 0.9), load), 2, 'of the first and the third')
  t.equal(leastBusy(ready, drawing(0.99, 0.99), load), 2, 'of the third and the second')
  t.end()
})

void t.test('least busy draws two different targets', t => {
  const ready = [target(1), target(2), target(3), target(4)]
  let same = 0
  for (let a = 0; a < 1; a += 0.05) {
    for (let b = 0; b < 1; b += 0.05) {
      const drawn: Pickable[] = []
      leastBusy(ready, drawing(a, b), one => drawn.push(one))
      if (drawn.length !== 2 || drawn[0] === drawn[1]) same += 1
    }
  }
  t.equal(same, 0)
  t.end()
})

void t.test('least busy skips targets that are full or excluded', t => {
  const ready = [target(9, true), target(3), target(1)]
  const load = (one: Pickable): number => one.inFlight
  for (let a = 0; a < 1; a += 0.1) t.equal(leastBusy(ready, drawing(a, a), load), 2)
  t.equal(leastBusy(ready, drawing(0, 0), load, new Set([ready[2]!])), 1)
  t.equal(leastBusy(ready, drawing(0, 0), load, new Set([ready[1]!, ready[2]!])), -1)
  t.equal(leastBusy([], drawing(0, 0), load), -1)
  t.end()
})

void t.test('a new target gets a smaller share until it has warmed up', t => {
  t.equal(weighedLoad(target(1, false, 1_000), 1_000, 10_000), 20, 'at least a tenth of its share')
  t.equal(weighedLoad(target(1, false, 1_000), 6_000, 10_000), 4)
  t.equal(weighedLoad(target(1, false, 1_000), 11_000, 10_000), 2)
  t.equal(weighedLoad(target(1, false, 1_000), 1_000, 0), 2, 'no slow start')
  t.end()
})
