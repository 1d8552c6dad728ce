import t from 'tap'
import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import type { Order } from '#src/ipc/messages.js'
import type { Child } from '#src/primary/processes/child.js'
import { TargetBoard } from '#src/primary/traffic/target-board.js'

interface Listener extends Child {
  readonly orders: Order[]
}

function balancer(): Listener {
  const orders: Order[] = []
  return { orders, send: (order: Order) => void orders.push(order) } as unknown as Listener
}

const target = (id: string, draining = false): { id: string; socketPath: string; draining: boolean } => {
  return { id, socketPath: `/run/${id}.sock`, draining }
}

void t.test('each balancing process gets the whole list, and only when it has changed', async t => {
  const board = new TargetBoard()
  const [first, late] = [balancer(), balancer()]
  board.tell([first], [target('1')])
  board.tell([first], [target('1')])
  board.tell([first, late], [target('1'), target('2')])
  t.equal(first.orders.length, 2)
  t.same(late.orders, [{ type: 'targets', list: 3, targets: [target('1'), target('2')], balancers: 2 }])
})

void t.test('a list is in use when every balancing process has said so of the newest that it was sent', async t => {
  const board = new TargetBoard()
  const both = [balancer(), balancer()] as const
  board.tell(both, [target('1')])
  t.notOk(board.routedAtAll(both))
  board.noteRouted(both[0], 1)
  t.notOk(board.routedAtAll(both))
  board.noteRouted(both[1], 1)
  t.ok(board.routedAtAll(both))
  board.tell(both, [target('2')])
  board.noteRouted(both[0], 2)
  t.notOk(board.routedAtAll(both))
  t.ok(board.routedAtAll([both[0]]), 'one that has ended does not count')
})

void t.test('each balancing process is told how workers ended, and which ends a request has caused', async t => {
  const board = new TargetBoard()
  const first = balancer()
  const worker = (id: string, endedByFault: boolean): Child =>
    ({ id, endedByFault, role: 'worker' }) as unknown as Child
  board.forget(worker('1', true))
  board.forget(worker('2', false))
  board.tell([first], [], [{ id: '3', fault: true }])
  board.noteReason('1')
  board.noteReason('3')
  board.tell([first], [], [{ id: '3', fault: true }])
  const [before, after] = first.orders.map(order => (order.type === 'targets' ? order.ended : undefined))
  t.strictSame(before, [
    { id: '1', fault: true },
    { id: '2', fault: false },
    { id: '3', fault: true },
  ])
  t.strictSame(after, [
    { id: '1', fault: true, explained: true },
    { id: '2', fault: false },
    { id: '3', fault: true, explained: true },
  ])
})

void t.test('a target is ready while every balancing process finds it ready', async t => {
  const board = new TargetBoard()
  const both = [balancer(), balancer()] as const
  board.noteState(both[0], '1', 'ready')
  t.notOk(board.readyAtAll(both, '1'))
  board.noteState(both[1], '1', 'ready')
  t.ok(board.readyAtAll(both, '1'))
  board.noteState(both[0], '1', 'unhealthy')
  t.notOk(board.readyAtAll(both, '1'))
})

void t.test('a target is drained when every remaining balancing process has reported it', async t => {
  const board = new TargetBoard()
  const [first, second] = [balancer(), balancer()]
  board.noteDrained(first, '1')
  t.notOk(board.drainedAtAll([first, second], '1'))
  t.ok(board.drainedAtAll([first], '1'), 'a process that has exited is not waited for')
  board.forget(first)
  t.notOk(board.drainedAtAll([first], '1'), 'the report of an exited process is forgotten')
})

void t.test('orders about the edge come before the list that acknowledges them, and only when they change', async t => {
  const board = new TargetBoard()
  const [first, late] = [balancer(), balancer()]
  board.tell([first], [target('1')])
  board.tell([first], [target('1')], [], [], { pausedUntil: 9 })
  board.tell([first, late], [target('1')], [], [], { pausedUntil: 9 })
  const typesOf = ({ orders }: Listener): string[] => orders.map(({ type }) => type)
  t.strictSame(typesOf(first).slice(0, 3), ['targets', 'edge', 'targets'])
  t.strictSame(typesOf(late), ['edge', 'targets'], 'a new one gets them as well')
  board.noteRouted(first, 1)
  t.notOk(board.routedAtAll([first]), 'a report about the previous list is no answer')
  const maintenance = { page: '', retryAfter: 60, allow: [], since: '' }
  board.endPause([first, late], { maintenance } as unknown as EdgeOrder)
  t.strictSame(first.orders.at(-1), { type: 'edge', order: { maintenance } }, 'the other orders stay')
  const told = first.orders.length
  board.endPause([first, late], { pausedUntil: 9, maintenance } as unknown as EdgeOrder)
  t.equal(first.orders.length, told, 'a process is told once')
  board.noteQuiet(first, 9)
  t.notOk(board.quietAtAll([first, late], 9))
  board.noteQuiet(late, 9)
  t.ok(board.quietAtAll([first, late], 9))
  t.notOk(board.quietAtAll([first, late], 10), 'another pause')
})
