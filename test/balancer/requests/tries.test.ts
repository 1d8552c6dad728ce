import t from 'tap'
import { RetryBudget, type TryFailure } from '#balancer/requests/retry.js'
import { Tries } from '#balancer/requests/tries.js'
import { readyPool } from '../../helpers/fake-pool.js'

/** How many failures of one kind a request survives, each at a target of its own. */
function survived(
  failure: TryFailure,
  { retries = 2, atArrival = 3, budget = 10, repeatable = true, targetsDie = false } = {},
): number {
  const { targets } = readyPool(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'])
  const tries = new Tries(new RetryBudget(0, budget), retries, atArrival)
  const last = targets.findIndex(target => {
    if (targetsDie) target.markUnreachable()
    return !tries.mayRepeat(target, failure, repeatable)
  })
  return last === -1 ? targets.length : last
}

void t.test('a request is tried as often as allowed', t => {
  t.equal(survived('connect'), 2)
  t.equal(survived('connect', { repeatable: false }), 2)
  t.equal(survived('reset'), 2)
  t.equal(survived('reset', { retries: 5, atArrival: 9 }), 5)
  t.equal(survived('timeout'), 0)
  t.end()
})

void t.test('a request that is not repeatable is not sent twice', t => {
  t.equal(survived('reset', { repeatable: false }), 0)
  t.equal(survived('down', { repeatable: false }), 0)
  t.end()
})

void t.test('failed connects to dead processes do not count', t => {
  t.equal(survived('connect', { targetsDie: true }), 9)
  t.end()
})

void t.test('a request may lose as many targets as there were when it arrived', t => {
  t.equal(survived('down', { atArrival: 5 }), 5)
  t.equal(survived('down', { atArrival: 1 }), 2, 'or as many as there are retries')
  t.equal(survived('reset', { atArrival: 5, targetsDie: true }), 5)
  t.end()
})

void t.test('a retry on the budget needs a place in it', t => {
  t.equal(survived('reset', { budget: 1 }), 1)
  t.equal(survived('connect', { budget: 0 }), 2, 'a failed connect is free')
  t.end()
})

void t.test('an ejected target is not a loss', t => {
  const { targets } = readyPool(['a', 'b', 'c', 'd', 'e'])
  const tries = new Tries(new RetryBudget(0, 0), 0, 0)
  for (const target of targets) {
    target.eject()
    t.ok(tries.mayRepeat(target, 'down', true))
  }
  t.same([...tries.targets], targets)
  t.end()
})
