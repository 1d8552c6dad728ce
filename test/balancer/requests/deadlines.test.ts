import t, { type Test } from 'tap'
import { Deadlines, type HasDeadline } from '#balancer/requests/deadlines.js'
import type { Entry } from '#balancer/contract/linked-list.js'
import { FakeClock } from '../../helpers/fake-clock.js'

class Item implements HasDeadline {
  deadline: Entry | undefined

  constructor(readonly name: string) {}
}

function started(
  t: Test,
  onExpire?: (item: Item) => void,
): { clock: FakeClock; deadlines: Deadlines<Item>; expired: string[] } {
  const clock = new FakeClock(t)
  const expired: string[] = []
  const deadlines = new Deadlines<Item>(100, item => {
    expired.push(item.name)
    onExpire?.(item)
  })
  return { clock, deadlines, expired }
}

void t.test('items expire after their time, in the order they came', t => {
  const { clock, deadlines, expired } = started(t)
  deadlines.add(new Item('a'))
  clock.advance(40)
  deadlines.add(new Item('b'))
  deadlines.add(new Item('c'))
  t.equal(deadlines.size, 3)
  clock.advance(59)
  t.same(expired, [])
  clock.advance(1)
  t.same(expired, ['a'])
  clock.advance(39)
  t.same(expired, ['a'])
  clock.advance(1)
  t.same(expired, ['a', 'b', 'c'])
  t.equal(deadlines.size, 0)
  t.equal(clock.pending, 0, 'no timer without an item')
  t.end()
})

void t.test('adding an item again restarts its deadline, and deleting it removes the deadline', t => {
  const { clock, deadlines, expired } = started(t)
  const [a, b] = [new Item('a'), new Item('b')]
  deadlines.add(a)
  deadlines.add(b)
  clock.advance(60)
  deadlines.add(a)
  t.ok(deadlines.delete(b))
  t.notOk(deadlines.delete(b))
  t.same(deadlines.items(), [a])
  clock.advance(99)
  t.same(expired, [])
  clock.advance(1)
  t.same(expired, ['a'])
  t.end()
})

void t.test('there is a single timer, even if an expiry adds an item', t => {
  const { clock, deadlines, expired } = started(t, item => {
    if (item.name.length < 4) deadlines.add(new Item(`${item.name}+`))
  })
  deadlines.add(new Item('a'))
  clock.advance(50)
  deadlines.add(new Item('b'))
  for (let i = 0; i < 12; i += 1) {
    clock.advance(25)
    t.ok(clock.pending <= 1)
  }
  clock.advance(1_000)
  t.same(expired, ['a', 'b', 'a+', 'b+', 'a++', 'b++', 'a+++', 'b+++'])
  t.equal(clock.pending, 0)
  t.end()
})

void t.test('an item under another deadline is not deleted', t => {
  const { clock, deadlines, expired } = started(t)
  const elsewhere = new Deadlines<Item>(100, () => undefined)
  const item = new Item('a')
  deadlines.add(item)
  t.notOk(elsewhere.delete(item))
  clock.advance(100)
  t.same(expired, ['a'])
  t.end()
})

void t.test('stopping forgets all items', t => {
  const { clock, deadlines, expired } = started(t)
  deadlines.add(new Item('a'))
  deadlines.stop()
  t.equal(deadlines.size, 0)
  t.equal(clock.pending, 0)
  clock.advance(1_000)
  t.same(expired, [])
  t.end()
})

void t.test('an expiry may stop the deadlines', t => {
  const { clock, deadlines, expired } = started(t, () => deadlines.stop())
  deadlines.add(new Item('a'))
  deadlines.add(new Item('b'))
  clock.advance(1_000)
  t.same(expired, ['a'])
  t.equal(clock.pending, 0)
  t.end()
})
