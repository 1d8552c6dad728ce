import t from 'tap'
import { bucketOf } from '#balancer/contract/latency-buckets.js'
import { judge as judgeFacts, p99Of, type SideFigures, type Verdict } from '#src/primary/plan/bake-verdict.js'
import { chanceOfAtLeast } from '#src/primary/plan/binomial.js'
import { Chance } from '#scripts/lib/chance.js'

const MIB = 1024 ** 2

/** A side with so many requests, and the latencies of these. */
function side(requests: number, facts: Partial<SideFigures> & { ms?: (i: number) => number } = {}): SideFigures {
  const { ms = () => 10, ...given } = facts
  const latencies = new Map<number, number>()
  for (let i = 0; i < requests; i++) {
    const bucket = bucketOf(ms(i))
    latencies.set(bucket, (latencies.get(bucket) ?? 0) + 1)
  }
  return { requests, failed: 0, broken: 0, latencies, growthBytes: 0, memoryBytes: 100 * MIB, ...given }
}

const idle = { before: { cpuMs: 1, loopUse: 0.1 }, fresh: { cpuMs: 1, loopUse: 0.1 } }

/** Both sides, each of whose windows is like the whole trial. */
function judge(before: SideFigures, fresh: SideFigures): Verdict {
  const window = { before: before.latencies, fresh: fresh.latencies, work: idle }
  return judgeFacts({ before, fresh, windows: [window, window, window], haveCompared: true })
}

void t.test('the chance of a number of hits is that of the binomial distribution', t => {
  const near = (found: number, wanted: number): unknown =>
    t.ok(Math.abs(found / wanted - 1) < 1e-6, `${found}, ${wanted}`)
  near(chanceOfAtLeast(1, 10, 0.01), 1 - 0.99 ** 10)
  near(chanceOfAtLeast(2, 3, 0.1), 0.028)
  near(chanceOfAtLeast(20, 20, 0.5), 0.5 ** 20)
  t.equal(chanceOfAtLeast(0, 10, 0.5), 1)
  t.ok(chanceOfAtLeast(600, 100_000, 0.005) < 1e-4)
  t.end()
})

void t.test('a release that fails one request in twenty is worse, once chance cannot explain it', t => {
  t.match(judge(side(400), side(100, { failed: 5 })), { kind: 'worse', reason: /5 of 100 \(5 %\).*0 of 400 \(0 %\)/ })
  t.match(judge(side(400), side(100, { broken: 5 })), { kind: 'worse' })
  t.match(judge(side(80), side(20, { failed: 1 })), {
    kind: 'too-little',
    reason: /20 requests.*80 of the previous one/,
  })
  t.match(judge(side(400), side(100, { failed: 1 })), { kind: 'as-good' }, 'one may be chance')
  t.end()
})

void t.test('errors that the previous release has as well are not held against the new one', t => {
  t.match(judge(side(4_000, { failed: 200 }), side(1_000, { failed: 55 })), { kind: 'as-good' })
  t.match(judge(side(4_000, { failed: 200 }), side(1_000, { failed: 100 })), { kind: 'worse' })
  t.end()
})

void t.test('a previous release without requests allows no comparison', t => {
  t.match(judge(side(0), side(5, { failed: 1 })), { kind: 'too-little' })
  t.match(judge(side(0), side(500)), { kind: 'too-little' })
  t.end()
})

void t.test('a release that is three times slower is worse, by its usual answers or by its slow ones', t => {
  t.match(judge(side(400), side(100, { ms: () => 30 })), { kind: 'worse', reason: /longer than 1\d.* ms/ })
  const spread = (i: number): number => 2 + (i % 100) / 5
  t.match(judge(side(4_000, { ms: spread }), side(1_000, { ms: i => 3 * spread(i) })), { kind: 'worse' })
  t.match(judge(side(4_000), side(1_000, { ms: i => (i % 10 === 0 ? 40 : 10) })), { kind: 'worse' }, 'a tenth is slow')
  t.end()
})

void t.test('a release that is as fast, or slower by what is tolerated, is as good', t => {
  const spread = (i: number): number => 2 + (i % 100) / 5
  t.match(judge(side(4_000, { ms: spread }), side(1_000, { ms: spread })), { kind: 'as-good' })
  t.match(judge(side(4_000, { ms: () => 1 }), side(1_000, { ms: () => 4 })), { kind: 'as-good' }, 'by 3 ms')
  t.match(judge(side(4_000), side(1_000, { ms: i => (i % 100 === 0 ? 90 : 10) })), { kind: 'as-good' }, '1 % is slow')
  t.match(judge(side(4_000), side(50, { ms: () => 90 })), { kind: 'too-little' }, 'of few requests nothing is said')
  t.end()
})

void t.test('slow answers count only if each of the last windows has them, and they do not get rarer', t => {
  const [before, fresh] = [side(4_000), side(1_000, { ms: () => 50 })]
  const kindOf = (...ms: number[]): string => {
    const windows = ms.map(each => ({
      before: before.latencies,
      fresh: side(200, { ms: () => each }).latencies,
      work: idle,
    }))
    return judgeFacts({ before, fresh, windows, haveCompared: true }).kind
  }
  t.equal(kindOf(40, 40, 40), 'worse')
  t.equal(kindOf(10, 10, 40, 40, 38), 'worse')
  t.equal(kindOf(10, 40, 40), 'as-good', 'twice may be chance')
  t.equal(kindOf(40, 40, 40, 10), 'as-good', 'no more')
  t.equal(kindOf(60, 50, 40), 'as-good', 'it gets warm')
  t.equal(kindOf(90, 60, 50, 50, 50), 'worse', 'it is no warmer than it was')
  t.equal(kindOf(), 'as-good', 'there was no time for a window')
  t.end()
})

void t.test('a load that slows both releases down for a while is not held against the new one', t => {
  const before = side(4_000)
  const window = {
    before: side(200, { ms: () => 40 }).latencies,
    fresh: side(200, { ms: () => 45 }).latencies,
    work: idle,
  }
  t.match(judgeFacts({ before, fresh: side(1_000), windows: [window, window, window], haveCompared: true }), {
    kind: 'as-good',
  })
  t.end()
})

void t.test('if some answers are slow anyway, the usual ones show which release is slower', t => {
  const noisy = (ms: number) => (i: number) => (i % 20 === 0 ? 400 : ms)
  t.match(judge(side(400, { ms: noisy(20) }), side(100, { ms: noisy(60) })), {
    kind: 'worse',
    reason: /the median answer took longer: 6\d.* ms, .* 2\d/,
  })
  t.match(judge(side(400, { ms: noisy(20) }), side(100, { ms: noisy(35) })), { kind: 'as-good' })
  t.match(judge(side(400, { ms: noisy(1) }), side(100, { ms: noisy(5) })), { kind: 'as-good' }, 'by 4 ms')
  t.end()
})

void t.test('if workers are busy for much of the time, CPU time for a request shows which release is slower', t => {
  const [before, fresh] = [side(4_000), side(1_000)]
  const judged = (busy: number, cpuMs: number, ...freshMs: number[]): Verdict => {
    const windows = freshMs.map(ms => {
      const work = { before: { cpuMs, loopUse: busy }, fresh: { cpuMs: ms, loopUse: busy } }
      return { before: before.latencies, fresh: fresh.latencies, work }
    })
    return judgeFacts({ before, fresh, windows, haveCompared: true })
  }
  const reason = /a request took 12 ms of CPU time, and 4 ms in the previous release/
  t.match(judged(0.95, 4, 12, 12, 12), { kind: 'worse', reason })
  t.match(judged(0.4, 4, 12, 12, 12), { kind: 'as-good' }, 'their answers are as fast')
  t.match(judged(0.95, 4, 4, 12, 12), { kind: 'as-good' }, 'not for long')
  t.match(judged(0.95, 4, 20, 16, 12), { kind: 'as-good' }, 'it gets warm')
  t.match(judged(0.95, 0.2, 1, 1, 1), { kind: 'as-good' }, 'by 0.8 ms')
  t.match(judged(0.95, 0, 12, 12, 12), { kind: 'as-good' }, 'the other is not known')
  t.end()
})

void t.test('a verdict says that latencies could not be compared', t => {
  const facts = { before: side(4_000), fresh: side(1_000, { ms: () => 90 }), windows: [], haveCompared: false }
  t.match(judgeFacts(facts), { kind: 'too-little', reason: /latencies were not compared: that takes a stage of 6.5 s/ })
  t.end()
})

void t.test('a release whose workers grow by far more is worse, however little traffic there is', t => {
  t.match(judge(side(0), side(0, { growthBytes: 400 * MIB })), { kind: 'worse', reason: /grew by 400 MiB/ })
  t.match(judge(side(0), side(0, { growthBytes: 200 * MIB })), { kind: 'too-little' }, 'new workers grow at first')
  t.match(judge(side(200, { growthBytes: 300 * MIB }), side(200, { growthBytes: 400 * MIB })), { kind: 'as-good' })
  t.end()
})

void t.test('hardly any of a thousand bakes of the same code, checked each second, is called worse', t => {
  const chance = new Chance(7)
  let worse = 0
  for (let bake = 0; bake < 1_000; bake++) {
    const perSecond = chance.between(1, 60)
    const rate = chance.next() * 0.05
    const counts = { before: 0, fresh: 0, beforeFailed: 0, freshFailed: 0 }
    let isWorse = false
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < perSecond; i++) {
        const failed = chance.happens(rate) ? 1 : 0
        if (chance.happens(0.2)) [counts.fresh, counts.freshFailed] = [counts.fresh + 1, counts.freshFailed + failed]
        else [counts.before, counts.beforeFailed] = [counts.before + 1, counts.beforeFailed + failed]
      }
      const before = side(0, { requests: counts.before, failed: counts.beforeFailed })
      isWorse ||= judge(before, side(0, { requests: counts.fresh, failed: counts.freshFailed })).kind === 'worse'
    }
    if (isWorse) worse += 1
  }
  t.ok(worse <= 10, `${worse} of 1000`)
  t.end()
})

void t.test('the latency that one in a hundred exceeds is known from a hundred answers on', t => {
  t.equal(p99Of(side(99).latencies), undefined)
  const p99 = p99Of(side(1_000, { ms: i => (i < 985 ? 10 : 100) }).latencies) ?? 0
  t.ok(p99 >= 100 && p99 < 110, `${p99}`)
  t.end()
})
