import t from 'tap'
import type { Order } from '#src/ipc/messages.js'
import type { Child, ChildRole } from '#src/primary/processes/child.js'
import type { ConnectionDealer, ConnectionTaker } from '#src/primary/traffic/connection-dealer.js'
import { Roster } from '#src/primary/plan/roster.js'
import { Traffic } from '#src/primary/traffic/traffic.js'
import { FakeClock } from '../../helpers/fake-clock.js'

type FakeChild = Child & { orders: Order[]; heardAt: number }

function child(role: ChildRole, id: string, facts: Partial<Child> = {}): FakeChild {
  const orders: Order[] = []
  const send = (order: Order): void => void orders.push(order)
  return { role, id, state: 'ready', ending: '', heardAt: 0, orders, send, ...facts } as unknown as FakeChild
}

/** All of them in places of their own; `dealt` is who connections are dealt to in mesh mode. */
function trafficOf(children: FakeChild[], mesh = false): { traffic: Traffic; dealt: () => string[] } {
  const count = (role: ChildRole): number => children.filter(child => child.role === role).length
  const roster = new Roster({ balancer: count('balancer'), worker: count('worker') })
  for (const role of ['balancer', 'worker'] as const) {
    const places = roster.slotsFor(role)
    for (const each of children.filter(child => child.role === role)) places.shift()!.current = each
  }
  let takers: ConnectionTaker[] = []
  const dealer = { setTakers: (given: ConnectionTaker[]) => (takers = given) } as unknown as ConnectionDealer
  const traffic = new Traffic(roster, mesh ? dealer : undefined, id => `/run/${id}.sock`)
  return { traffic, dealt: () => takers.map(taker => (taker as unknown as FakeChild).id) }
}

void t.test('a worker is reached when every balancer has found it ready', t => {
  const [one, two, worker] = [child('balancer', '1'), child('balancer', '2'), child('worker', '1')]
  const { traffic } = trafficOf([one, two, worker])
  t.notOk(traffic.direct())
  traffic.board.noteState(one, '1', 'ready')
  t.notOk(traffic.reaches(worker))
  traffic.board.noteState(two, '1', 'ready')
  t.ok(traffic.reaches(worker))
  t.ok(traffic.direct())
  const targets = [{ id: '1', socketPath: '/run/1.sock', draining: false }]
  t.same(one.orders, [{ type: 'targets', targets }])
  t.end()
})

void t.test('the word of a balancer that ends does not count', t => {
  const [one, two, worker] = [
    child('balancer', '1'),
    child('balancer', '2', { ending: 'SIGKILL' }),
    child('worker', '1'),
  ]
  const { traffic } = trafficOf([one, two, worker])
  traffic.board.noteState(one, '1', 'ready')
  t.ok(traffic.reaches(worker))
  traffic.board.noteDrained(one, '1')
  t.ok(traffic.hasLeft(worker))
  t.end()
})

void t.test('workers that start are no targets yet, those that drain still are', t => {
  const balancer = child('balancer', '1')
  const workers = [child('worker', '1', { state: 'starting' }), child('worker', '2', { state: 'draining' })]
  const { traffic } = trafficOf([balancer, ...workers])
  t.notOk(traffic.direct())
  t.match(balancer.orders, [{ targets: [{ id: '2', draining: true }] }])
  t.notOk(traffic.reaches(workers[1]!))
  t.end()
})

void t.test('in mesh mode connections are dealt to those that are heard of and well, or else to whom there is', t => {
  const clock = new FakeClock(t)
  const [silent, ill, well] = ['silent', 'ill', 'well'].map(id => child('worker', id)) as [
    FakeChild,
    FakeChild,
    FakeChild,
  ]
  const { traffic, dealt } = trafficOf([silent, ill, well], true)
  t.ok(traffic.direct())
  t.same(dealt(), ['silent', 'ill', 'well'], 'nobody is well yet')
  clock.advance(5_000)
  ill.heardAt = clock.now
  well.heardAt = clock.now
  traffic.direct()
  t.same(dealt(), ['ill', 'well'])
  traffic.board.noteState(well, 'well', 'ready')
  traffic.direct()
  t.same(dealt(), ['well'])
  t.end()
})
