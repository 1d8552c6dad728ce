import t from 'tap'
import { acquainted } from '#src/primary/traffic/acquainted.js'

/** @param found whom each worker has found, by name */
function groupOf(found: Record<string, string>): string {
  return acquainted(Object.keys(found), (worker, other) => found[worker]?.includes(other) === true).join('')
}

void t.test('workers that have all found each other are together', t => {
  t.equal(groupOf({ a: 'abc', b: 'abc', c: 'abc' }), 'abc')
  t.equal(groupOf({ a: 'a' }), 'a')
  t.equal(groupOf({}), '')
  t.end()
})

void t.test('a new worker is left out until both sides have found each other', t => {
  t.equal(groupOf({ a: 'abc', b: 'abc', c: 'abc', d: 'd' }), 'abc', 'nobody has found it')
  t.equal(groupOf({ d: 'd', a: 'abcd', b: 'abcd', c: 'abcd' }), 'abc', 'it has found nobody')
  t.equal(groupOf({ d: 'abcd', a: 'abc', b: 'abc', c: 'abc' }), 'abc', 'nobody has found it, and it has found all')
  t.equal(groupOf({ a: 'abcd', b: 'abcd', c: 'abcd', d: 'abcd' }), 'abcd')
  t.end()
})

void t.test('a worker that loses the others, or that they lose, is the one that is left out', t => {
  t.equal(groupOf({ a: 'a', b: 'abc', c: 'abc' }), 'bc')
  t.equal(groupOf({ a: 'abc', b: 'bc', c: 'bc' }), 'bc')
  t.equal(groupOf({ a: 'ac', b: 'abc', c: 'abc' }), 'ac', 'all have found the one that has lost another')
  t.end()
})
