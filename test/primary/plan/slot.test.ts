import t from 'tap'
import type { Child } from '#src/primary/processes/child.js'
import { Slot } from '#src/primary/plan/slot.js'

const child = (): Child => ({}) as Child

/** A place whose worker is being replaced. */
function replacing(): { slot: Slot; old: Child; next: Child } {
  const slot = new Slot('worker')
  const [old, next] = [child(), child()]
  Object.assign(slot, { current: old, replacement: next, replaceWanted: true })
  return { slot, old, next }
}

void t.test('the replacement takes the place', async t => {
  const { slot, old, next } = replacing()
  t.equal(slot.promote(), old)
  t.match(slot, { current: next, replacement: undefined, replaceWanted: false })
})

void t.test('a replacement that is to be replaced itself is so when it has the place', async t => {
  const { slot, next } = replacing()
  t.ok(slot.retire(next))
  t.notOk(slot.retire(next), 'once')
  slot.promote()
  t.ok(slot.replaceWanted)
})

void t.test('when the old one dies first, the replacement has the place at once', async t => {
  const { slot, old, next } = replacing()
  slot.forget(old)
  t.match(slot, { current: next, replacement: undefined, replaceWanted: false })
})

void t.test('when the replacement dies, another one is wanted', async t => {
  const { slot, old, next } = replacing()
  slot.forget(next)
  t.match(slot, { current: old, replacement: undefined, replaceWanted: true })
})

void t.test('kept, the old one stays, and the replacement is somebody to be ended', async t => {
  const { slot, old, next } = replacing()
  t.equal(slot.keep(), next)
  t.match(slot, { current: old, replacement: undefined, replaceWanted: false })
})
