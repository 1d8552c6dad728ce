import t from 'tap'
import type { Order } from '#src/ipc/messages.js'
import type { ChildRole } from '#src/primary/plan/observed.js'
import type { Child } from '#src/primary/processes/child.js'
import type { ConnectionDealer, ConnectionTaker } from '#src/primary/traffic/connection-dealer.js'
import type { Route } from '#src/primary/plan/action.js'
import { Traffic } from '#src/primary/traffic/traffic.js'
import { FakeClock } from '../../helpers/fake-clock.js'

type FakeChild = Child & { orders: Order[]; heardAt: number }

function child(role: ChildRole, id: string, facts: Partial<Child> = {}): FakeChild {
  const orders: Order[] = []
  const send = (order: Order): void => void orders.push(order)
  return { role, id, state: 'ready', name: `${role} ${id}`, heardAt: 0, orders, send, ...facts } as unknown as FakeChild
}

/** `dealt` returns the processes that connections are dealt to. */
function trafficOf(children: FakeChild[], mesh = false): { traffic: Traffic; dealt: () => string[] } {
  let takers: ConnectionTaker[] = []
  const dealer = { setTakers: (given: ConnectionTaker[]) => (takers = given) } as unknown as ConnectionDealer
  const byName = new Map(children.map(each => [each.name, each]))
  const traffic = new Traffic(byName, mesh ? 'worker' : 'balancer', dealer, id => `/run/${id}.sock`)
  return { traffic, dealt: () => takers.map(taker => (taker as unknown as FakeChild).id) }
}

const route = (child: string, draining = false): Route => ({ child, draining })

void t.test('a worker is reachable when every balancer has found it ready', t => {
  const [one, two, worker] = [child('balancer', '1'), child('balancer', '2'), child('worker', '1')]
  const { traffic } = trafficOf([one, two, worker])
  traffic.direct([route('worker 1')])
  const targets = [{ id: '1', socketPath: '/run/1.sock', draining: false }]
  t.same(one.orders, [{ type: 'targets', list: 1, targets, balancers: 2 }])
  t.notOk(traffic.isServing)
  traffic.board.noteState(one, '1', 'ready')
  t.notOk(traffic.reachabilityOf(worker).reachable)
  traffic.board.noteState(two, '1', 'ready')
  t.ok(traffic.reachabilityOf(worker).reachable)
  t.ok(traffic.isServing)
  t.end()
})

void t.test('balancers that are ready and not silent get the connections', t => {
  const clock = new FakeClock(t)
  const balancers = [
    child('balancer', '1'),
    child('balancer', '2', { state: 'starting' }),
    child('balancer', '3', { state: 'draining' }),
    child('balancer', '4'),
  ]
  const { traffic, dealt } = trafficOf([...balancers, child('worker', '9')])
  traffic.direct([])
  t.strictSame(dealt(), ['1', '4'])
  clock.advance(4_000)
  const [, , , last] = balancers
  if (last !== undefined) last.heardAt = performance.now()
  traffic.direct([])
  t.strictSame(dealt(), ['4'])
  t.end()
})

void t.test('a balancer that drains gets the list of workers until it reports that its clients have gone', t => {
  const [one, two] = [child('balancer', '1'), child('balancer', '2', { state: 'draining' })]
  const { traffic } = trafficOf([one, two, child('worker', '2')])
  traffic.direct([route('worker 2')])
  t.match(two.orders, [{ type: 'targets', targets: [{ id: '2' }] }])
  traffic.board.noteDrained(two, '2')
  t.strictSame(
    traffic.reachabilityOf(two),
    { reachable: false, drained: false },
    'the worker of that number is another',
  )
  traffic.board.noteClientsGone(two)
  t.strictSame(traffic.reachabilityOf(two), { reachable: false, drained: true })
  t.end()
})

void t.test('reports of a balancer that is stopping do not count', t => {
  const [one, two, worker] = [
    child('balancer', '1'),
    child('balancer', '2', { state: 'stopping' }),
    child('worker', '1'),
  ]
  const { traffic } = trafficOf([one, two, worker])
  traffic.board.noteState(one, '1', 'ready')
  traffic.board.noteDrained(one, '1')
  t.same(traffic.reachabilityOf(worker), { reachable: true, drained: true })
  t.end()
})

void t.test('a worker that does not serve is not reachable, and draining workers are marked for balancers', t => {
  const balancer = child('balancer', '1')
  const workers = [child('worker', '1', { state: 'starting' }), child('worker', '2', { state: 'draining' })] as const
  const { traffic } = trafficOf([balancer, ...workers])
  traffic.board.noteState(balancer, '2', 'ready')
  traffic.direct([route('worker 2', true)])
  t.notOk(traffic.isServing)
  t.match(balancer.orders, [{ targets: [{ id: '2', draining: true }] }])
  for (const worker of workers) t.notOk(traffic.reachabilityOf(worker).reachable)
  t.end()
})

void t.test('a crashed worker still gets the list of targets, and its reports do not count', t => {
  const [crashed, well] = [child('worker', '1', { state: 'crashed' }), child('worker', '2')]
  const { traffic } = trafficOf([crashed, well], true)
  traffic.direct([route('worker 1', true), route('worker 2')])
  t.equal(crashed.orders.length, 1)
  traffic.board.noteState(well, '2', 'ready')
  t.ok(traffic.reachabilityOf(well).reachable)
  t.end()
})

void t.test('in mesh mode connections are dealt to healthy workers with heartbeats, else to any ready one', t => {
  const clock = new FakeClock(t)
  const [silent, ill, well] = ['silent', 'ill', 'well'].map(id => child('worker', id)) as [
    FakeChild,
    FakeChild,
    FakeChild,
  ]
  const { traffic, dealt } = trafficOf([silent, ill, well], true)
  traffic.direct([])
  t.ok(traffic.isServing)
  t.same(dealt(), ['silent', 'ill', 'well'], 'no worker is healthy yet')
  clock.advance(5_000)
  ill.heardAt = clock.now
  well.heardAt = clock.now
  traffic.direct([])
  t.same(dealt(), ['ill', 'well'])
  traffic.board.noteState(well, 'well', 'ready')
  traffic.direct([])
  t.same(dealt(), ['well'])
  t.end()
})

void t.test('in mesh mode a new worker does not get the connections of those that it has not found yet', t => {
  const [first, second, fresh] = ['1', '2', '3'].map(id => child('worker', id)) as [FakeChild, FakeChild, FakeChild]
  const { traffic, dealt } = trafficOf([first, second, fresh], true)
  for (const each of [first, second]) for (const id of ['1', '2', '3']) traffic.board.noteState(each, id, 'ready')
  traffic.board.noteState(fresh, '3', 'ready')
  traffic.direct([])
  t.same(dealt(), ['1', '2'], 'the others have found it, and it has found none of them')
  for (const id of ['1', '2']) traffic.board.noteState(fresh, id, 'ready')
  traffic.direct([])
  t.same(dealt(), ['1', '2', '3'])
  t.end()
})

void t.test('in mesh mode a worker gets connections once the others have found it', t => {
  const [first, second] = [child('worker', '1'), child('worker', '2')]
  const { traffic, dealt } = trafficOf([first, second], true)
  for (const each of [first, second]) traffic.board.noteState(each, '1', 'ready')
  traffic.board.noteState(second, '2', 'ready')
  traffic.direct([])
  t.same(dealt(), ['1'])
  traffic.board.noteState(first, '2', 'ready')
  traffic.direct([])
  t.same(dealt(), ['1', '2'])
  t.end()
})
