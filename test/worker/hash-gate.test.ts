import { EventEmitter } from 'node:events'
import { availableParallelism } from 'node:os'
import t from 'tap'
import type { Order, Report } from '#src/ipc/messages.js'
import type { Parent } from '#src/ipc/parent.js'
import type { Child } from '#src/primary/processes/child.js'
import { HashPermits } from '#src/primary/processes/hash-permits.js'
import { HashQueueFullError } from '#src/app/accounts/password-hasher.js'
import { SharedHashGate } from '#src/worker/hash-gate.js'

/** A primary that answers when the test says so. */
class FakeParent extends EventEmitter {
  readonly reports: Report[] = []

  report(report: Report): void {
    this.reports.push(report)
  }

  answer(type: 'hash-granted' | 'hash-refused', ticket: number): void {
    this.emit('order', { type, ticket })
  }
}

function createGate(): { parent: FakeParent; gate: SharedHashGate } {
  const parent = new FakeParent()
  return { parent, gate: new SharedHashGate(parent as unknown as Parent) }
}

/** Whether it has been decided, once all that was on its way has arrived. */
async function isOpen(entering: Promise<unknown>): Promise<boolean> {
  const late = new Promise(resolve => setImmediate(() => resolve('late')))
  return (await Promise.race([entering, late])) !== 'late'
}

void t.test('who enters waits for the primary, and tells it when he is done', async t => {
  const { parent, gate } = createGate()
  const entering = gate.enter()
  t.strictSame(parent.reports, [{ type: 'hash-wanted', ticket: 1 }])
  t.notOk(await isOpen(entering))
  parent.answer('hash-granted', 1)
  const leave = await entering
  t.equal(parent.reports.length, 1)
  leave()
  t.strictSame(parent.reports.slice(1), [{ type: 'hash-done', ticket: 1 }])
})

void t.test('each answer is for its own ticket, in whatever order they come', async t => {
  const { parent, gate } = createGate()
  const [first, second, third] = [gate.enter(), gate.enter(), gate.enter()]
  parent.answer('hash-granted', 3)
  const leaveThird = await third
  t.notOk(await isOpen(first))
  parent.answer('hash-refused', 1)
  await t.rejects(first, HashQueueFullError)
  t.notOk(await isOpen(second))
  parent.answer('hash-granted', 2)
  const leaveSecond = await second
  leaveThird()
  leaveSecond()
  const done = parent.reports.filter(({ type }) => type === 'hash-done')
  t.strictSame(done, [
    { type: 'hash-done', ticket: 3 },
    { type: 'hash-done', ticket: 2 },
  ])
})

void t.test('one who was refused may come again', async t => {
  const { parent, gate } = createGate()
  const refused = gate.enter()
  parent.answer('hash-refused', 1)
  await t.rejects(refused, { name: 'HashQueueFullError' })
  const entering = gate.enter()
  parent.answer('hash-granted', 2)
  t.type(await entering, 'function')
})

void t.test('who leaves while he waits gives his place up, and a grant that comes too late is nobody’s', async t => {
  const { parent, gate } = createGate()
  const client = new AbortController()
  const leaving = gate.enter(client.signal)
  const staying = gate.enter(new AbortController().signal)
  client.abort(new Error('gone'))
  await t.rejects(leaving, { message: 'gone' })
  t.strictSame(parent.reports.slice(2), [{ type: 'hash-done', ticket: 1 }])
  parent.answer('hash-granted', 1)
  t.notOk(await isOpen(staying))
  parent.answer('hash-granted', 2)
  t.type(await staying, 'function')
})

void t.test(
  'who has left before asks for nothing, and who leaves after his turn has come gives it back once',
  async t => {
    const { parent, gate } = createGate()
    await t.rejects(gate.enter(AbortSignal.abort(new Error('gone'))), { message: 'gone' })
    t.strictSame(parent.reports, [])
    const client = new AbortController()
    const entering = gate.enter(client.signal)
    parent.answer('hash-granted', 1)
    client.abort()
    const leave = await entering
    t.equal(parent.reports.length, 1, 'the hash is being computed')
    leave()
    t.strictSame(parent.reports.slice(1), [{ type: 'hash-done', ticket: 1 }])
  },
)

void t.test('clients that leave do not have others turned away', async t => {
  const { parent, gate } = createGate()
  const permits = new HashPermits()
  const child = { id: '1', send: (order: Order) => void parent.emit('order', order) } as unknown as Child
  parent.report = report => {
    if (report.type === 'hash-wanted') permits.wanted(child, report.ticket)
    if (report.type === 'hash-done') permits.done(child, report.ticket)
  }
  const busy = await Promise.all(Array.from({ length: availableParallelism() }, () => gate.enter()))
  const clients = Array.from({ length: 64 }, () => new AbortController())
  const entering = clients.map(({ signal }) => gate.enter(signal))
  await t.rejects(gate.enter(), HashQueueFullError)
  for (const client of clients) client.abort()
  await Promise.allSettled(entering)
  const next = gate.enter()
  busy[0]?.()
  t.type(await next, 'function')
})

void t.test('other orders, and answers to nobody, are nothing to it', async t => {
  const { parent, gate } = createGate()
  const entering = gate.enter()
  parent.emit('order', { type: 'drain' })
  parent.answer('hash-granted', 99)
  parent.answer('hash-refused', 99)
  t.notOk(await isOpen(entering))
})
