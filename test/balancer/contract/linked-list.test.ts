import t from 'tap'
import { LinkedList } from '#balancer/contract/linked-list.js'

void t.test('items keep their order and can be removed in any', t => {
  const list = new LinkedList<string>()
  t.equal(list.first, undefined)
  const [a, b, c] = [list.add('a'), list.add('b'), list.add('c')]
  t.same(list.items(), ['a', 'b', 'c'])
  t.ok(list.remove(b))
  t.same(list.items(), ['a', 'c'])
  t.ok(list.remove(a))
  t.equal(list.first, 'c')
  list.add('d')
  t.ok(list.remove(c))
  t.same(list.items(), ['d'])
  t.equal(list.size, 1)
  t.end()
})

void t.test('an entry can be removed once, and only from its own list', t => {
  const [list, other] = [new LinkedList<string>(), new LinkedList<string>()]
  const entry = list.add('a')
  t.notOk(other.remove(entry))
  t.notOk(list.remove(undefined))
  t.ok(list.remove(entry))
  t.notOk(list.remove(entry))
  t.equal(list.size, 0)
  t.equal(other.size, 0)
  t.end()
})

void t.test('the oldest item can be removed without its entry', t => {
  const list = new LinkedList<string>()
  const entries = [list.add('a'), list.add('b')]
  t.equal(list.shift(), 'a')
  t.notOk(list.remove(entries[0]))
  t.same(list.items(), ['b'])
  t.equal(list.shift(), 'b')
  t.equal(list.shift(), undefined)
  t.equal(list.size, 0)
  t.end()
})

void t.test('clearing removes all entries', t => {
  const list = new LinkedList<string>()
  const entries = [list.add('a'), list.add('b')]
  list.clear()
  t.same(list.items(), [])
  t.equal(list.size, 0)
  for (const entry of entries) t.notOk(list.remove(entry))
  list.add('c')
  t.same(list.items(), ['c'])
  t.end()
})
