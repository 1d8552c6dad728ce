import t from 'tap'
import { loadOf, type WorkerVitals } from '#src/primary/plan/worker-load.js'

const PLACES = 100
const idle: WorkerVitals = {
  name: 'worker 1',
  inFlight: 0,
  streaming: 0,
  requestsPerSecond: 0,
  loopUse: 0,
  cpuUse: 0,
  rssBytes: 0,
}

function loadFrom(before: number | undefined, vitals: Partial<WorkerVitals>): number {
  const known = new Map(before === undefined ? [] : [['worker 1', before]])
  return loadOf({ workers: [{ ...idle, ...vitals }], waiting: 0 }, known, PLACES, 0).load
}

void t.test('the load is the work of all event loops', t => {
  const workers = [
    { ...idle, loopUse: 0.25 },
    { ...idle, name: 'worker 2', loopUse: 0.5 },
  ]
  t.strictSame(loadOf({ workers, waiting: 0 }, new Map(), PLACES, 7), { at: 7, load: 0.75, by: 'event loops' })
  t.strictSame(loadOf({ workers: [], waiting: 0 }, new Map(), PLACES, 7), { at: 7, load: 0, by: 'event loops' })
  t.end()
})

void t.test('the load is the places that requests in flight take, if those are more', t => {
  t.strictSame(loadOf({ workers: [{ ...idle, inFlight: 80, loopUse: 0.5 }], waiting: 0 }, new Map(), PLACES, 0), {
    at: 0,
    load: 0.8,
    by: 'requests in flight',
  })
  t.end()
})

void t.test('a full event loop whose queue grows has more work than one can do', t => {
  t.equal(loadFrom(0, { loopUse: 1, requestsPerSecond: 40, inFlight: 30 }), 4)
  t.equal(loadFrom(0, { loopUse: 1, requestsPerSecond: 40, inFlight: 40 }), 10, 'bounded: nothing was done')
  t.end()
})

void t.test('a full event loop whose queue is done has less', t => {
  t.equal(loadFrom(40, { loopUse: 1, requestsPerSecond: 40, inFlight: 0 }), 0.5)
  t.end()
})

void t.test('requests that wait for other servers while the event loop is free do not count as work', t => {
  t.equal(loadFrom(0, { loopUse: 0.5, requestsPerSecond: 60, inFlight: 50 }), 0.5)
  t.end()
})

void t.test('without a second before, or without requests, a full event loop counts as it is', t => {
  t.equal(loadFrom(undefined, { loopUse: 1, requestsPerSecond: 40, inFlight: 30 }), 1)
  t.equal(loadFrom(0, { loopUse: 1 }), 1)
  t.end()
})

void t.test('an answer that streams takes no place', t => {
  const streams = { ...idle, inFlight: 900, streaming: 895 }
  t.match(loadOf({ workers: [streams], waiting: 0 }, new Map(), PLACES, 0), {
    load: 5 / PLACES,
    by: 'requests in flight',
  })
  t.end()
})

void t.test('requests that wait for a place count like those that have one, and thrice as many at most', t => {
  const workers = [{ ...idle, inFlight: 50 }]
  const load = (waiting: number): number => loadOf({ workers, waiting }, new Map(), PLACES, 0).load
  t.equal(load(40), 0.9)
  t.equal(load(5_000), 2)
  t.equal(loadOf({ workers: [], waiting: 1_000 }, new Map(), PLACES, 0).load, 0, 'no worker serves: a restart')
  t.end()
})
