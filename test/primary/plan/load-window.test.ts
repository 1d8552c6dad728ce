import t from 'tap'
import { panicLoad, stableLoad, withLoad, type Load } from '#src/primary/plan/load-window.js'

/** One load a second. */
function loadsOf(...loads: number[]): Load[] {
  return loads.reduce<Load[]>((all, load, second) => withLoad(all, { at: second * 1_000, load, by: 'event loops' }), [])
}

void t.test('the stable window is a minute long, and each second counts alike', t => {
  const loads = loadsOf(100, ...Array.from({ length: 60 }, (_, second) => second % 2))
  t.equal(loads.length, 60)
  t.equal(stableLoad(loads), 0.5)
  t.end()
})

void t.test('the panic window is 6 s long, and the last second counts most', t => {
  t.equal(panicLoad(loadsOf(100, 0, 0, 0, 0, 0, 0)), 0)
  t.equal(panicLoad(loadsOf(3, 3, 3)).toFixed(6), '3.000000')
  const fresh = panicLoad(loadsOf(0, 0, 0, 0, 0, 1))
  t.ok(fresh > 0.6 && fresh < 0.75, String(fresh))
  t.ok(panicLoad(loadsOf(0, 0, 0, 0, 1, 1)) > 0.85)
  t.end()
})

void t.test('workers of which nothing is known have no load', t => {
  t.equal(stableLoad([]), 0)
  t.equal(panicLoad([]), 0)
  t.end()
})
