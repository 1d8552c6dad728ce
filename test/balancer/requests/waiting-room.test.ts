import t, { type Test } from 'tap'
import { WaitingRoom, type Waiter, type WaitingClient } from '#balancer/requests/waiting-room.js'
import { FakeClock } from '../../helpers/fake-clock.js'

interface Given {
  clock: FakeClock
  room: WaitingRoom
  log: string[]
  waiter(name: string, account?: WaitingClient): Waiter
  /** How many waiters can still be placed. */
  places: number
}

const SOMEBODY: WaitingClient = { places: { mayTake: () => true } }

function opened(t: Test, holdLimit = 10): Given {
  const clock = new FakeClock(t)
  const log: string[] = []
  const given: Given = {
    clock,
    log,
    places: 0,
    room: new WaitingRoom({ holdLimit, holdMs: 1_000, overloadWaitMs: 50 }, () => given.places > 0),
    waiter: (name, account = SOMEBODY) => ({
      account,
      hasPlace: false,
      admitted: () => {
        given.places -= 1
        log.push(name)
      },
      giveUp: code => log.push(`${name} ${code}`),
    }),
  }
  return given
}

void t.test('waiters are admitted in order, as many as there is room for', t => {
  const given = opened(t)
  for (const name of ['a', 'b', 'c']) given.room.enter(given.waiter(name), 'none-ready')
  given.room.admit()
  t.same(given.log, [])
  given.places = 2
  given.room.admit()
  t.same(given.log, ['a', 'b'])
  t.equal(given.room.size, 1)
  t.end()
})

void t.test('a waiter waits long for a ready target, and only a moment while all are full', t => {
  const given = opened(t)
  given.room.enter(given.waiter('long'), 'none-ready')
  given.room.enter(given.waiter('short'), 'full')
  given.clock.advance(50)
  t.same(given.log, ['short OVERLOADED'])
  given.clock.advance(949)
  t.equal(given.log.length, 1)
  given.clock.advance(1)
  t.same(given.log, ['short OVERLOADED', 'long NO_TARGET_READY'])
  t.equal(given.room.size, 0)
  t.end()
})

void t.test('an overdue waiter is not admitted, even if the event loop was too busy to expire it', t => {
  const given = opened(t)
  given.places = 2
  const first = given.waiter('first')
  const slow: Waiter = {
    ...first,
    admitted: () => {
      first.admitted()
      given.clock.stall(60)
    },
  }
  given.room.enter(slow, 'full')
  given.room.enter(given.waiter('second'), 'full')
  given.room.admit()
  t.same(given.log, ['first', 'second OVERLOADED'])
  given.clock.advance(0)
  t.equal(given.clock.pending, 0)
  t.end()
})

void t.test('waiters of one client are admitted in the order of arrival', t => {
  const given = opened(t)
  given.room.enter(given.waiter('moment'), 'full')
  given.room.enter(given.waiter('long'), 'none-ready')
  given.places = 2
  given.room.admit()
  t.same(given.log, ['moment', 'long'])
  t.end()
})

void t.test('a full waiting room turns the next waiter away at once', t => {
  const given = opened(t, 2)
  given.room.enter(given.waiter('a'), 'none-ready')
  given.room.enter(given.waiter('b'), 'full')
  given.room.enter(given.waiter('c'), 'none-ready')
  given.room.enter(given.waiter('d'), 'full')
  t.same(given.log, ['c WAITING_ROOM_FULL', 'd OVERLOADED'])
  t.equal(given.room.size, 2)
  t.end()
})

void t.test('clients take turns, however many requests each of them has waiting', t => {
  const given = opened(t)
  const [hog, other]: WaitingClient[] = [{ ...SOMEBODY }, { ...SOMEBODY }]
  for (const name of ['a1', 'a2', 'a3', 'a4']) given.room.enter(given.waiter(name, hog), 'none-ready')
  for (const name of ['b1', 'b2']) given.room.enter(given.waiter(name, other), 'full')
  given.places = 5
  given.room.admit()
  t.same(given.log, ['a1', 'b1', 'a2', 'b2', 'a3'])
  t.end()
})

void t.test('a client at its share is passed over, and its requests keep their deadline', t => {
  const given = opened(t)
  let free = 1
  const hog: WaitingClient = { places: { mayTake: () => free > 0 } }
  const first = given.waiter('a1', hog)
  const taking: Waiter = { ...first, admitted: () => (first.admitted(), (free -= 1)) }
  given.room.enter(taking, 'none-ready')
  given.room.enter(given.waiter('a2', hog), 'none-ready')
  given.room.enter(given.waiter('b1', { ...SOMEBODY }), 'none-ready')
  given.clock.advance(900)
  given.places = 9
  given.room.admit()
  t.same(given.log, ['a1', 'b1'])
  given.clock.advance(99)
  t.equal(given.room.size, 1)
  given.clock.advance(1)
  t.same(given.log, ['a1', 'b1', 'a2 NO_TARGET_READY'])
  t.end()
})

void t.test('a request that was held for a ready target and finds all of them full goes on waiting', t => {
  const given = opened(t)
  const held = given.waiter('held')
  const unlucky: Waiter = { ...held, admitted: () => given.room.enter(unlucky, 'full') }
  given.room.enter(unlucky, 'none-ready')
  given.places = 1
  given.room.admit()
  given.clock.advance(500)
  t.same(given.log, [], 'longer than a request waits for a full target')
  t.equal(given.room.size, 1)
  t.end()
})

void t.test('in a full waiting room the longest line gives way to a shorter one', t => {
  const given = opened(t, 4)
  const [hog, other]: WaitingClient[] = [{ ...SOMEBODY }, { ...SOMEBODY }]
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) given.room.enter(given.waiter(name, hog), 'none-ready')
  t.same(given.log, ['a5 WAITING_ROOM_FULL'])
  for (const name of ['b1', 'b2', 'b3']) given.room.enter(given.waiter(name, other), 'none-ready')
  t.same(given.log.slice(1), ['a4 WAITING_ROOM_FULL', 'a3 WAITING_ROOM_FULL', 'b3 WAITING_ROOM_FULL'])
  t.equal(given.room.size, 4)
  t.end()
})

void t.test('a waiter that has left is neither admitted nor given up', t => {
  const given = opened(t)
  const [a, b] = [given.waiter('a'), given.waiter('b')]
  given.room.enter(a, 'none-ready')
  given.room.enter(b, 'full')
  given.room.leave(a)
  given.room.leave(b)
  given.room.leave(b)
  given.places = 9
  given.room.admit()
  given.clock.advance(2_000)
  t.same(given.log, [])
  t.end()
})

void t.test('an admitted waiter may start another round and remove another waiter', t => {
  const given = opened(t)
  const b = given.waiter('b')
  const a: Waiter = {
    ...given.waiter('a'),
    admitted: () => {
      given.log.push('a')
      given.room.leave(b)
      given.room.admit()
    },
  }
  for (const waiter of [a, b, given.waiter('c')]) given.room.enter(waiter, 'none-ready')
  given.places = 1
  given.room.admit()
  t.same(given.log, ['a', 'c'])
  t.end()
})

void t.test('closing the waiting room gives up all waiters', t => {
  const given = opened(t)
  given.room.enter(given.waiter('a'), 'full')
  given.room.enter(given.waiter('b'), 'none-ready')
  given.room.close()
  t.same(given.log.sort(), ['a NO_TARGET_READY', 'b NO_TARGET_READY'])
  t.equal(given.room.size, 0)
  t.equal(given.clock.pending, 0)
  t.end()
})

void t.test('all can be admitted, clients in turn, whether there is room for them or not', t => {
  const given = opened(t)
  const [one, two] = [{ ...SOMEBODY }, { ...SOMEBODY }]
  for (const name of ['a', 'b']) given.room.enter(given.waiter(name, one), 'none-ready')
  given.room.enter(given.waiter('c', two), 'full')
  given.room.admitAll()
  t.same(given.log, ['a', 'c', 'b'])
  t.equal(given.room.size, 0)
  t.end()
})
