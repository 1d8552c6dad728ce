import t from 'tap'
import { RestartPolicy, type RestartOptions } from '#src/primary/plan/restart-policy.js'

const options: RestartOptions = {
  provenMs: 1_000,
  firstDelayMs: 200,
  maxDelayMs: 3_000,
  parkAfter: 5,
  windowMs: 60_000,
  parkMs: 60_000,
}

void t.test('who has served for a while is replaced at once', t => {
  const policy = new RestartPolicy<string>(options)
  t.strictSame(policy.exited('a', 1_000, 0), { kind: 'now' })
  t.strictSame(policy.exited('a', 86_400_000, 1), { kind: 'now' })
  t.end()
})

void t.test('killed again and again, whoever had served is replaced at once: that is no crash loop', t => {
  const policy = new RestartPolicy<string>(options)
  for (let i = 0; i < 20; i++) {
    for (const place of ['a', 'b']) t.strictSame(policy.exited(place, 1_000, i), { kind: 'now' })
  }
  t.strictSame(policy.exited('a', 0, 20), { kind: 'after', delayMs: 200 }, 'nor are they held against the next one')
  t.end()
})

void t.test('early exits wait longer each time, up to a limit, each place for itself', t => {
  const policy = new RestartPolicy<string>({ ...options, parkAfter: 100 })
  const delays = Array.from({ length: 6 }, () => policy.exited('a', 0, 0))
  t.strictSame(
    delays,
    [200, 400, 800, 1_600, 3_000, 3_000].map(delayMs => ({ kind: 'after', delayMs })),
  )
  t.strictSame(policy.exited('b', 999, 0), { kind: 'after', delayMs: 200 })
  t.end()
})

void t.test('once one has served, the count begins anew', t => {
  const policy = new RestartPolicy<string>(options)
  policy.exited('a', 0, 0)
  policy.exited('a', 0, 0)
  t.strictSame(policy.exited('a', 5_000, 0), { kind: 'now' })
  t.strictSame(policy.exited('a', 0, 0), { kind: 'after', delayMs: 200 })
  t.end()
})

void t.test('many early exits in little time, of whichever places, are a crash loop', t => {
  const policy = new RestartPolicy<string>(options)
  for (const place of ['a', 'b', 'a', 'b']) t.equal(policy.exited(place, 0, 1_000).kind, 'after')
  t.strictSame(policy.exited('a', 0, 2_000), { kind: 'park', delayMs: 60_000 })
  t.strictSame(policy.exited('b', 0, 2_000), { kind: 'park', delayMs: 60_000 })
  t.end()
})

void t.test('one early exit each, of however many places, is none', t => {
  const policy = new RestartPolicy<number>(options)
  const places = Array.from({ length: 32 }, (_, place) => place)
  for (const place of places) t.strictSame(policy.exited(place, 0, 0), { kind: 'after', delayMs: 200 })
  const again = places.map(place => policy.exited(place, 0, 200).kind)
  t.equal(again.at(-2), 'after')
  t.equal(again.at(-1), 'park')
  t.end()
})

void t.test('many early exits over a long time are not', t => {
  const policy = new RestartPolicy<string>(options)
  for (let i = 0; i < 20; i++) t.equal(policy.exited('a', 0, i * 20_000).kind, 'after')
  t.end()
})

void t.test('a place that was given up gets one try at a time until one has served', t => {
  const policy = new RestartPolicy<string>(options)
  for (let i = 0; i < 5; i++) policy.exited('a', 0, 0)
  t.strictSame(policy.exited('a', 0, 60_001), { kind: 'park', delayMs: 60_000 })
  t.strictSame(policy.exited('a', 0, 200_000), { kind: 'park', delayMs: 60_000 })
  t.strictSame(policy.exited('a', 1_000, 300_000), { kind: 'now' })
  t.equal(policy.exited('a', 0, 400_000).kind, 'after')
  t.end()
})
