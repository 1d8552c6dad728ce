import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { QueueFullError } from '#src/resources/queued-places.js'
import { SharedPlaces } from '#src/resources/shared-places.js'

/** Enters and tells how many got a place. */
async function hold(places: SharedPlaces, holder: string, count: number): Promise<(() => void)[]> {
  const got: (() => void)[] = []
  for (let i = 0; i < count; i++)
    places.enter(holder).then(
      leave => got.push(leave),
      () => undefined,
    )
  await nextTurn()
  return got
}

void t.test('one holder alone gets half of the places, and n leave one of n + 1', async t => {
  const places = new SharedPlaces(32, 1_000)
  t.equal((await hold(places, 'a', 100)).length, 16)
  t.equal((await hold(places, 'b', 100)).length, 8)
  t.equal((await hold(places, 'c', 100)).length, 4)
  t.equal((await hold(places, 'polite', 1)).length, 1)
})

void t.test('many holders of one place each may take all', async t => {
  const places = new SharedPlaces(4, 4)
  for (const holder of ['a', 'b', 'c', 'd']) t.equal((await hold(places, holder, 1)).length, 1)
  t.equal((await hold(places, 'e', 1)).length, 0)
})

void t.test('a place that is given back goes to the first waiter that may hold it', async t => {
  const places = new SharedPlaces(2, 8)
  const [leaveA] = await hold(places, 'a', 1)
  const [leaveB] = await hold(places, 'b', 1)
  const order: string[] = []
  const enter = (holder: string) => places.enter(holder).then(leave => (order.push(holder), leave))
  const waiting = ['a', 'c', 'd'].map(enter)
  leaveB?.()
  const leaveC = await waiting[1]!
  t.strictSame(order, ['c'], 'one that holds its share is passed over')
  leaveA?.()
  const leaveFirst = await waiting[0]!
  leaveC()
  leaveFirst()
  await waiting[2]!
  t.strictSame(order, ['c', 'a', 'd'])
})

void t.test('the queue has a share for each holder as well', async t => {
  const places = new SharedPlaces(1, 8)
  await hold(places, 'other', 1)
  const refused = Array.from({ length: 8 }, () => places.enter('a')).slice(4)
  for (const one of refused) await t.rejects(one, QueueFullError)
  const late = places.enter('b')
  const outcome = await Promise.race([late.then(() => 'in'), nextTurn('waits')])
  t.equal(outcome, 'waits', 'another one still finds a place in it')
})

void t.test('a waiter that gives up its place in the queue frees it', async t => {
  const places = new SharedPlaces(1, 2)
  const [leave] = await hold(places, 'a', 1)
  const patience = new AbortController()
  const waiting = places.enter('b', patience.signal)
  await t.rejects(places.enter('b'), QueueFullError)
  patience.abort(new Error('enough'))
  await t.rejects(waiting, { message: 'enough' })
  const next = places.enter('b')
  leave?.()
  leave?.()
  ;(await next)()
  ;(await places.enter('c'))()
  await t.rejects(places.enter('d', AbortSignal.abort(new Error('gone'))), { message: 'gone' })
})
