import t from 'tap'
import { fixedLimits } from '#src/primary/plan/desired.js'
import {
  defaultRestartOptions,
  judgeLoss,
  noRestarts,
  notBefore,
  pardoned,
  type RestartHistory,
  type RestartOptions,
  type RestartVerdict,
} from '#src/primary/plan/restart-policy.js'

const { provenMs } = fixedLimits
const options: RestartOptions = { ...defaultRestartOptions, maxDelayMs: 3_000, parkAfter: 5 }

/** A series of losses. */
class Losses {
  #history: RestartHistory = noRestarts

  constructor(private readonly of: RestartOptions = options) {}

  judge(place: string, servedMs: number, now: number): RestartVerdict {
    const { verdict, history } = judgeLoss(this.#history, { place, servedMs, generation: 0 }, now, provenMs, this.of)
    this.#history = history
    return verdict
  }
}

void t.test('a process that has served for a while is replaced at once', t => {
  const losses = new Losses()
  t.match(losses.judge('a', 1_000, 0), { kind: 'now', delayMs: 0 })
  t.match(losses.judge('a', 86_400_000, 1), { kind: 'now', delayMs: 0 })
  t.end()
})

void t.test('processes that had served are replaced at once however often they are killed', t => {
  const losses = new Losses()
  for (let i = 0; i < 20; i++) for (const place of ['a', 'b']) t.match(losses.judge(place, 1_000, i), { kind: 'now' })
  t.match(losses.judge('a', 0, 20), { kind: 'backoff', delayMs: 200 }, 'and they do not count against the next process')
  t.end()
})

void t.test('each early exit of a place makes its back-off longer, up to a limit', t => {
  const losses = new Losses({ ...options, parkAfter: 100 })
  const delays = Array.from({ length: 6 }, () => losses.judge('a', 0, 0).delayMs)
  t.strictSame(delays, [200, 400, 800, 1_600, 3_000, 3_000])
  t.match(losses.judge('b', 999, 0), { kind: 'backoff', delayMs: 200 })
  t.end()
})

void t.test('the count of early exits begins anew once a process has served', t => {
  const losses = new Losses()
  losses.judge('a', 0, 0)
  losses.judge('a', 0, 0)
  t.match(losses.judge('a', 5_000, 0), { kind: 'now' })
  t.match(losses.judge('a', 0, 0), { kind: 'backoff', delayMs: 200 })
  t.end()
})

void t.test('many early exits in a short time, in any places, are a crash loop that is reported once', t => {
  const losses = new Losses()
  for (const place of ['a', 'b', 'a', 'b']) t.equal(losses.judge(place, 0, 1_000).kind, 'backoff')
  t.strictSame(losses.judge('a', 0, 2_000), { kind: 'park', delayMs: 60_000, isNews: true })
  t.strictSame(losses.judge('b', 0, 2_000), { kind: 'park', delayMs: 60_000, isNews: false })
  t.end()
})

void t.test('one early exit in each of many places is not a crash loop', t => {
  const losses = new Losses()
  const places = Array.from({ length: 32 }, (_, place) => String(place))
  for (const place of places) t.match(losses.judge(place, 0, 0), { kind: 'backoff', delayMs: 200 })
  const again = places.map(place => losses.judge(place, 0, 200).kind)
  t.equal(again.at(-2), 'backoff')
  t.equal(again.at(-1), 'park')
  t.end()
})

void t.test('many early exits over a long time are not a crash loop', t => {
  const losses = new Losses()
  for (let i = 0; i < 20; i++) t.equal(losses.judge('a', 0, i * 20_000).kind, 'backoff')
  t.end()
})

void t.test('a parked place gets one try at a time until a process has served', t => {
  const losses = new Losses()
  for (let i = 0; i < 5; i++) losses.judge('a', 0, 0)
  t.match(losses.judge('a', 0, 60_001), { kind: 'park', delayMs: 60_000 })
  t.match(losses.judge('a', 0, 200_000), { kind: 'park', delayMs: 60_000 })
  t.match(losses.judge('a', 1_000, 300_000), { kind: 'now' })
  t.equal(losses.judge('a', 0, 400_000).kind, 'backoff')
  t.end()
})

void t.test('a loss that is pardoned counts for nothing', t => {
  const lost = (child: string, history = noRestarts, now = 0): RestartHistory =>
    judgeLoss(history, { child, place: 'a', servedMs: 0, generation: 0 }, now, provenMs).history
  t.strictSame(pardoned(lost('worker 1'), 'worker 1'), noRestarts)
  t.strictSame(pardoned(lost('worker 1'), 'worker 2'), lost('worker 1'), 'unless it is of another process')
  const twice = pardoned(lost('worker 2', lost('worker 1'), 300), 'worker 2')
  t.strictSame(twice.earlyExits, [0])
  t.equal(notBefore(twice, 'a'), -Infinity, 'the place may be filled at once')
  t.end()
})
