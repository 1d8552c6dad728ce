import t from 'tap'
import { defaultOptions, resolveOptions } from '#balancer/options.js'

void t.test('omitted options have their defaults, and the options are frozen', t => {
  const options = resolveOptions({ retries: 5 })
  t.same(options, { ...defaultOptions, retries: 5 })
  t.ok(Object.isFrozen(options))
  t.throws(() => Object.assign(options, { retries: 6 }))
  t.equal(defaultOptions.retries, 2)
  t.end()
})

void t.test('a target’s keep-alive must be longer than the balancer’s', t => {
  t.throws(() => resolveOptions({ targetKeepAliveMs: 5_000 }), RangeError)
  t.throws(() => resolveOptions({ targetKeepAliveMs: 5_000, upstreamIdleMs: 5_000 }), RangeError)
  t.ok(resolveOptions({ targetKeepAliveMs: 5_000, upstreamIdleMs: 4_000 }))
  t.end()
})

void t.test('the defaults are the documented ones', t => {
  t.match(defaultOptions, {
    balance: 'round-robin',
    trustProxy: 0,
    healthPath: '/health',
    healthIntervalMs: 2_000,
    healthTimeoutMs: 1_000,
    healthFall: 3,
    healthRise: 2,
    ejectAfter: 5,
    ejectMs: 10_000,
    ejectMaxMs: 300_000,
    upstreamTimeoutMs: 30_000,
    retries: 2,
    heldBodyBytes: 65_536,
    retryBudgetRatio: 0.2,
    retryBudgetFloor: 10,
    holdLimit: 1_024,
    holdMs: 10_000,
    maxInFlight: 256,
    overloadWaitMs: 50,
    maxSockets: 20_000,
    maxUpgradedPerClient: 4_000,
  })
  t.end()
})
