import { EventEmitter } from 'node:events'
import t from 'tap'
import type { Report } from '#src/ipc/messages.js'
import type { Parent } from '#src/ipc/parent.js'
import { HashQueueFullError } from '#src/services/password-hasher.js'
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

void t.test('other orders, and answers to nobody, are nothing to it', async t => {
  const { parent, gate } = createGate()
  const entering = gate.enter()
  parent.emit('order', { type: 'drain' })
  parent.answer('hash-granted', 99)
  parent.answer('hash-refused', 99)
  t.notOk(await isOpen(entering))
})
