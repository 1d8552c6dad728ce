import t from 'tap'
import type { Child } from '#src/primary/processes/child.js'
import { Reload } from '#src/primary/plan/reload.js'
import { Slot } from '#src/primary/plan/slot.js'

/** As much of a child as a reload looks at. */
function child(state: string, servedMs = 0): Child {
  const killed: string[] = []
  const facts = {
    name: 'worker 7',
    state,
    servedMs,
    ending: 'exit code 1',
    lastLines: ['Error: no such table'],
    killed,
  }
  return { ...facts, kill: (reason: string) => killed.push(reason) } as unknown as Child
}

/** Each with a worker that serves. */
function places(count: number): Slot[] {
  return Array.from({ length: count }, () => {
    const slot = new Slot('worker')
    slot.current = child('ready')
    return slot
  })
}

/** What the supervisor does about a place whose worker is to be replaced. Returns the old one. */
function replace(reload: Reload, slot: Slot, oldState = 'exited', now = 0): Child {
  slot.replacement = child('ready')
  slot.promote()
  const old = child(oldState)
  reload.replaced(slot, old, now)
  return old
}

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
    replace(reload, slot)
  }
  reload.advance(0)
  t.ok(reload.over)
  t.equal(await reload.finished, 2)
})

void t.test('waits for a worker that still drains, but not for ever', async t => {
  const [first, second] = places(2) as [Slot, Slot]
  const reload = new Reload([first, second])
  reload.advance(0)
  replace(reload, first, 'draining')
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
  await t.rejects(reload.finished, {
    name: 'ReloadError',
    message: 'the new worker 7 did not become ready (exit code 1); the old workers serve on',
    replaced: 0,
    lastLines: ['Error: no such table'],
  })
})

void t.test('ends when a new worker dies that has served already, and what it had begun ends with it', async t => {
  const slots = places(3)
  const reload = new Reload([...slots])
  reload.advance(0)
  replace(reload, slots[0]!)
  reload.advance(0)
  const begun = child('starting') as Child & { killed: string[] }
  slots[1]!.replacement = begun
  t.ok(reload.failed(slots[0]!, child('exited', 700)))
  t.ok(reload.over)
  t.strictSame(
    slots.map(slot => slot.replaceWanted),
    [false, false, false],
  )
  t.equal(begun.killed.length, 1)
  t.equal(slots[1]!.replacement, undefined)
  await t.rejects(reload.finished, { message: /did not last \(exit code 1\)/, replaced: 0 })
})

void t.test('an old worker that dies before its turn is over has been replaced by that', async t => {
  const [slot] = places(1) as [Slot]
  const reload = new Reload([slot])
  reload.advance(0)
  const old = slot.current!
  slot.forget(old)
  reload.replaced(slot, child('exited'), 0)
  reload.advance(0)
  t.notOk(reload.over, 'nobody has its place yet')
  slot.current = child('ready')
  reload.advance(0)
  t.equal(await reload.finished, 1)
})

void t.test('a place that waits for its next try has it at once', async t => {
  const slot = new Slot('worker')
  Object.assign(slot, { parked: true, notBefore: 60_000 })
  const reload = new Reload([slot])
  reload.advance(0)
  t.match(slot, { parked: false, notBefore: 0, replaceWanted: false }, 'what fills it is new anyway')
  slot.current = child('starting')
  reload.advance(0)
  t.notOk(reload.over)
  t.ok(reload.failed(slot, child('exited')))
  await t.rejects(reload.finished, { name: 'ReloadError' })
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
