import t from 'tap'
import { SortedKeys } from '#src/object-store/disk/sorted-keys.js'

function contents(keys: SortedKeys): string[] {
  const found: string[] = []
  for (let key = keys.firstFrom(''); key !== undefined; key = keys.firstFrom(`${key}\0`)) found.push(key)
  return found
}

/** A fixed pseudo-random sequence, so that a failure can be reproduced. */
function* numbers(count: number): Generator<number> {
  let state = 12_345
  for (let index = 0; index < count; index++) yield (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648)
}

void t.test('sorted keys are in order after any sequence of changes', t => {
  const keys = new SortedKeys()
  const model = new Set<string>()
  for (const number of numbers(20_000)) {
    const key = `key ${number % 5_000}`
    if (number % 3 === 0) {
      keys.delete(key)
      model.delete(key)
    } else {
      keys.add(key)
      model.add(key)
    }
  }
  t.same(contents(keys), [...model].sort())
  for (const key of [...model]) keys.delete(key)
  t.same(contents(keys), [])
  t.end()
})

void t.test('sorted keys find the first key from any position', t => {
  const keys = new SortedKeys()
  for (let index = 0; index < 3_000; index++) keys.add(String(index * 2).padStart(5, '0'))
  t.equal(keys.firstFrom('02001'), '02002')
  t.equal(keys.firstFrom('02002'), '02002')
  t.equal(keys.firstFrom(''), '00000')
  t.equal(keys.firstFrom('05999'), undefined)
  t.equal(new SortedKeys().firstFrom(''), undefined)
  t.end()
})
