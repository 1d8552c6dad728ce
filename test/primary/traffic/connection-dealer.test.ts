import t from 'tap'
import { ConnectionDealer, type Connection, type ConnectionTaker } from '#src/primary/traffic/connection-dealer.js'
import type { PublicPort } from '#src/primary/host/public-port.js'
import { FakeClock } from '../../helpers/fake-clock.js'

class FakeConnection implements Connection {
  closed = false
  refused = ''
  left = false

  constructor(
    readonly name: string,
    readonly fd: number,
    readonly address: string,
  ) {}

  close(): void {
    this.closed = true
  }

  getpeername(out: { address?: string }): number {
    if (this.left) return -107
    out.address = this.address
    return 0
  }
}

class FakeTaker implements ConnectionTaker {
  readonly taken: string[] = []
  readonly undelivered: Array<() => void> = []
  there = true
  newest: Connection | undefined

  pushOutFor(): Connection | undefined {
    return this.newest
  }

  give(connection: Connection, undelivered: () => void): boolean {
    if (!this.there) return false
    this.taken.push((connection as FakeConnection).name)
    this.undelivered.push(undelivered)
    return true
  }
}

/** A dealer on a port that only the test connects to. */
function createDealer(openFiles?: number): {
  dealer: ConnectionDealer
  connect: (name: string, fd?: number, address?: string) => FakeConnection
} {
  const handle: PublicPort['handle'] = {
    getsockname: () => 0,
    listen: () => 0,
    close: () => undefined,
    onconnection: null,
  }
  const refuse = (connection: Connection, code: string): void => {
    ;(connection as FakeConnection).refused = code
  }
  const dealer = new ConnectionDealer(
    { handle, host: '127.0.0.1', port: 0 } as PublicPort,
    refuse,
    () => openFiles ?? Infinity,
  )
  dealer.start()
  const connect = (name: string, fd = 3, address = '192.0.2.1'): FakeConnection => {
    const connection = new FakeConnection(name, fd, address)
    handle.onconnection?.(0, connection)
    return connection
  }
  return { dealer, connect }
}

void t.test('connections are dealt in turn', async t => {
  const { dealer, connect } = createDealer()
  const takers = [new FakeTaker(), new FakeTaker()]
  dealer.setTakers(takers)
  for (const name of ['a', 'b', 'c', 'd', 'e']) connect(name)
  t.strictSame(
    takers.map(({ taken }) => taken),
    [
      ['a', 'c', 'e'],
      ['b', 'd'],
    ],
  )
})

void t.test('connections wait while there is no receiver, and are dealt in order', async t => {
  const { dealer, connect } = createDealer()
  connect('a')
  connect('b')
  const taker = new FakeTaker()
  dealer.setTakers([taker])
  t.strictSame(taker.taken, ['a', 'b'])
})

void t.test('a receiver that has gone is skipped', async t => {
  const { dealer, connect } = createDealer()
  const [gone, there] = [new FakeTaker(), new FakeTaker()]
  gone.there = false
  dealer.setTakers([gone, there])
  connect('a')
  connect('b')
  t.strictSame(there.taken, ['a', 'b'])
})

void t.test('connections wait when all receivers have gone, even before the list changes', async t => {
  const { dealer, connect } = createDealer()
  const gone = [new FakeTaker(), new FakeTaker()]
  for (const taker of gone) taker.there = false
  dealer.setTakers(gone)
  const connection = connect('a')
  t.notOk(connection.closed)

  const next = new FakeTaker()
  dealer.setTakers([next])
  t.strictSame(next.taken, ['a'])
})

void t.test('a connection that did not arrive is dealt to the next receiver', async t => {
  const { dealer, connect } = createDealer()
  const [first, second] = [new FakeTaker(), new FakeTaker()]
  dealer.setTakers([first, second])
  connect('a')
  first.there = false
  first.undelivered[0]?.()
  t.strictSame(second.taken, ['a'])
})

void t.test(
  'a connection that comes back after the stop goes to a receiver that is still there, or is refused',
  async t => {
    const { dealer, connect } = createDealer()
    const [first, second] = [new FakeTaker(), new FakeTaker()]
    dealer.setTakers([first, second])
    const connection = connect('a')
    dealer.stop()
    dealer.setTakers([])
    first.undelivered[0]?.()
    t.strictSame(second.taken, ['a'])
    for (const taker of [first, second]) taker.there = false
    second.undelivered[0]?.()
    t.equal(connection.refused, 'NO_TARGET_READY')
  },
)

void t.test('connections that come back are dealt before newer ones', async t => {
  const clock = new FakeClock(t)
  const { dealer, connect } = createDealer()
  const dying = new FakeTaker()
  dealer.setTakers([dying])
  connect('a')
  clock.advance(100)
  dying.there = false
  connect('b')
  dying.undelivered[0]?.()
  const next = new FakeTaker()
  dealer.setTakers([next])
  t.strictSame(next.taken, ['a', 'b'])
})

void t.test('a connection that waits for ten seconds is refused', async t => {
  const clock = new FakeClock(t)
  const { dealer, connect } = createDealer()
  const early = connect('early')
  clock.advance(4_000)
  const late = connect('late')
  clock.advance(6_001)
  t.equal(early.refused, 'NO_TARGET_READY')
  t.equal(late.refused, '')
  clock.advance(4_000)
  t.equal(late.refused, 'NO_TARGET_READY')
  const taker = new FakeTaker()
  dealer.setTakers([taker])
  t.strictSame(taker.taken, [])
})

void t.test('connections over the limit are refused, and all are after the stop', async t => {
  const { dealer, connect } = createDealer()
  const connections = Array.from({ length: 1_025 }, (_, index) => connect(String(index)))
  t.equal(connections.at(-1)?.refused, 'WAITING_ROOM_FULL')
  const waiting = connections.slice(0, -1)
  t.ok(waiting.every(({ refused, closed }) => refused === '' && !closed))
  dealer.stop()
  t.ok(waiting.every(({ closed }) => closed))
})

void t.test('clients that have left free their places', async t => {
  new FakeClock(t)
  const { connect } = createDealer()
  const connections = Array.from({ length: 1_024 }, (_, index) => connect(String(index)))
  for (const connection of connections.slice(0, 500)) connection.left = true
  t.equal(connect('next').refused, '')
  t.equal(connections.filter(({ closed }) => closed).length, 500)
})

void t.test('a client that fills the places gives them up to others, until they have as many', async t => {
  const { dealer, connect } = createDealer()
  const hog = Array.from({ length: 1_030 }, (_, index) => connect(`hog ${index}`))
  const others = Array.from({ length: 600 }, (_, index) => connect(`other ${index}`, 3, '::ffff:192.0.2.2'))
  t.equal(hog.filter(({ refused }) => refused === '').length, 512)
  t.ok(
    hog.slice(0, 512).every(({ refused }) => refused === ''),
    'those that have waited longest keep their places',
  )
  t.equal(others.filter(({ refused }) => refused === '').length, 512)
  t.equal(dealer.waiting, 1_024)
  const third = connect('third', 3, '192.0.2.3')
  t.equal(third.refused, '')
  const taker = new FakeTaker()
  dealer.setTakers([taker])
  t.equal(taker.taken.length, 1_024)
  t.ok(taker.taken.includes('third'))
})

void t.test('many clients that fill the places together leave some to one that comes', async t => {
  new FakeClock(t)
  const { connect } = createDealer()
  for (let i = 0; i < 1_100; i += 1) connect(`hog ${i}`, 3, `192.0.2.${i % 20}`)
  t.equal(connect('other', 3, '198.51.100.1').refused, '')
  t.equal(connect('other', 3, '198.51.100.1').refused, '')
})

void t.test('a client whose waiting connections use all open files loses one to another client', t => {
  const { dealer, connect } = createDealer(20)
  const hog = Array.from({ length: 10 }, (_, index) => connect(`hog ${index}`, 10 + index))
  t.ok(connect('one more', 20).closed)
  const other = connect('other', 20, '192.0.2.2')
  t.notOk(other.closed)
  t.ok(hog.at(-1)?.closed)
  const taker = new FakeTaker()
  dealer.setTakers([taker])
  t.ok(taker.taken.includes('other'))
  t.equal(taker.taken.length, 10)
  t.end()
})

void t.test('a client whose connections on their way use all open files loses one to another client', t => {
  const { dealer, connect } = createDealer(20)
  const [first, second] = [new FakeTaker(), new FakeTaker()]
  dealer.setTakers([first, second])
  const hog = connect('hog', 19)
  second.newest = hog
  const other = connect('other', 20, '192.0.2.2')
  t.notOk(other.closed)
  t.ok(hog.closed)
  t.ok([...first.taken, ...second.taken].includes('other'))
  t.end()
})

void t.test('a connection that would use a reserved open file is closed', t => {
  const { dealer, connect } = createDealer(20)
  const taker = new FakeTaker()
  dealer.setTakers([taker])
  t.notOk(connect('last', 19).closed)
  t.ok(connect('over', 20).closed)
  t.strictSame(taker.taken, ['last'])
  t.end()
})
