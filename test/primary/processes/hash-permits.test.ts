import { availableParallelism } from 'node:os'
import t from 'tap'
import type { Order } from '#src/ipc/messages.js'
import type { Child } from '#src/primary/processes/child.js'
import { HashPermits } from '#src/primary/processes/hash-permits.js'

const CORES = availableParallelism()
const WAITING = 64

interface FakeChild {
  child: Child
  orders: Order[]
  granted(): number[]
  refused(): number[]
}

function fakeChild(id: string): FakeChild {
  const orders: Order[] = []
  const tickets = (type: Order['type']): number[] =>
    orders.filter(order => order.type === type).map(order => ('ticket' in order ? order.ticket : 0))
  return {
    child: { id, send: (order: Order) => void orders.push(order) } as unknown as Child,
    orders,
    granted: () => tickets('hash-granted'),
    refused: () => tickets('hash-refused'),
  }
}

void t.test('as many hashes at once as there are cores, over all workers', t => {
  const permits = new HashPermits()
  const [one, two] = [fakeChild('1'), fakeChild('2')]
  for (let ticket = 1; ticket <= CORES; ticket++) permits.wanted(one.child, ticket)
  permits.wanted(two.child, 1)
  t.equal(one.granted().length, CORES)
  t.strictSame(two.granted(), [])
  permits.done(one.child, 1)
  t.strictSame(two.granted(), [1])
  t.end()
})

void t.test('sixty-four wait, one more is refused', t => {
  const permits = new HashPermits()
  const one = fakeChild('1')
  for (let ticket = 1; ticket <= CORES + WAITING; ticket++) permits.wanted(one.child, ticket)
  t.strictSame(one.refused(), [])
  permits.wanted(one.child, 999)
  t.strictSame(one.refused(), [999])
  for (let ticket = 1; ticket <= CORES + WAITING; ticket++) permits.done(one.child, ticket)
  t.equal(one.granted().length, CORES + WAITING, 'all that waited had their turn')
  t.end()
})

void t.test('what a dead worker held or waited for is free again', t => {
  const permits = new HashPermits()
  const [dead, alive] = [fakeChild('1'), fakeChild('2')]
  for (let ticket = 1; ticket <= CORES + 10; ticket++) permits.wanted(dead.child, ticket)
  for (let ticket = 1; ticket <= CORES; ticket++) permits.wanted(alive.child, ticket)
  permits.childGone(dead.child)
  t.equal(alive.granted().length, CORES)
  for (let ticket = 1; ticket <= CORES; ticket++) permits.done(alive.child, ticket)
  for (let ticket = 1; ticket <= CORES + WAITING; ticket++) permits.wanted(alive.child, 100 + ticket)
  t.strictSame(alive.refused(), [], 'every permit and every place to wait')
  t.end()
})
