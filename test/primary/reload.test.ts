import t from 'tap'
import type { Child } from '#src/primary/child.js'
import { Reload } from '#src/primary/reload.js'
import { Slot } from '#src/primary/slot.js'

const places = (count: number): Slot[] => Array.from({ length: count }, (_, index) => new Slot('worker', index))

/** As much of a child as a reload looks at. */
const child = (state: string): Child =>
  ({ name: 'worker 7', state, ending: 'exit code 1', lastLines: ['Error: no such table'] }) as unknown as Child

void t.test('asks for one place at a time', async t => {
  const slots = places(2)
  const reload = new Reload([...slots])
  reload.advance(0)
  t.same(
    slots.map(slot => slot.replaceWanted),
    [true, false],
  )
  reload.advance(1)
  t.equal(slots[1]!.replaceWanted, false, 'not before the first has been replaced')
})

void t.test('goes on when the replaced worker has gone, and is over after the last place', async t => {
  const slots = places(2)
  const reload = new Reload([...slots])
  for (const slot of slots) {
    reload.advance(0)
    slot.replaceWanted = false
    reload.replaced(slot, child('exited'), 0)
  }
  reload.advance(0)
  t.ok(reload.over)
  t.equal(await reload.finished, 2)
})

void t.test('waits for a worker that still drains, but not for ever', async t => {
  const [first, second] = places(2) as [Slot, Slot]
  const reload = new Reload([first, second])
  reload.advance(0)
  first.replaceWanted = false
  reload.replaced(first, child('draining'), 0)
  reload.advance(9_999)
  t.equal(second.replaceWanted, false)
  reload.advance(10_000)
  t.equal(second.replaceWanted, true, 'a long download does not hold up the reload')
})

void t.test('ends with what the new worker printed when it does not come up', async t => {
  const slots = places(2)
  const reload = new Reload([...slots])
  reload.advance(0)
  t.ok(reload.failed(slots[0]!, child('exited')))
  t.equal(slots[0]!.replaceWanted, false, 'the old one stays')
  reload.advance(1)
  t.equal(slots[1]!.replaceWanted, false, 'and the other places are left alone')
  await t.rejects(reload.finished, { name: 'ReloadError', replaced: 0, lastLines: ['Error: no such table'] })
})

void t.test('has no part in the death of a worker of another place', async t => {
  const slots = places(2)
  const reload = new Reload([...slots])
  reload.advance(0)
  t.notOk(reload.failed(slots[1]!, child('exited')))
  t.notOk(reload.over)
})

void t.test('is over at once when there is nothing to replace', async t => {
  const reload = new Reload([])
  reload.advance(0)
  t.equal(await reload.finished, 0)
})
