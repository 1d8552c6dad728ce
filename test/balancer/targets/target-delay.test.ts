import t from 'tap'
import { delayOf, TargetDelay } from '#balancer/targets/target-delay.js'

class Pinged {
  readonly pings: (() => void)[] = []
  isOpen = true

  ping(answered: () => void): boolean {
    if (this.isOpen) this.pings.push(answered)
    return this.isOpen
  }
}

void t.test('the delay of a target is the last, or that of what is on its way if it is longer', t => {
  let now = 100
  const target = new Pinged()
  const delay = new TargetDelay(target, () => now)
  delay.measure(7)
  delay.measure(8)
  t.equal(target.pings.length, 1, 'one at a time')
  now += 50
  t.equal(delay.current, undefined, 'not known before the first answer')
  target.pings.pop()?.()
  t.strictSame(delay.current, { ms: 50, beside: 7 })
  delay.measure(9)
  now += 30
  t.strictSame(delay.current, { ms: 50, beside: 7 })
  now += 30
  t.strictSame(delay.current, { ms: 60, beside: 9 })
  target.pings.pop()?.()
  now += 1_000
  t.strictSame(delay.current, { ms: 60, beside: 9 })
  t.end()
})

void t.test('a target that cannot be asked is asked again', t => {
  const target = new Pinged()
  const delay = new TargetDelay(target)
  target.isOpen = false
  delay.measure(1)
  target.isOpen = true
  delay.measure(1)
  t.equal(target.pings.length, 1)
  t.end()
})

void t.test('the longest of several delays counts, but for targets that hang', t => {
  const delays = (...all: number[]): { ms: number; beside: number }[] => all.map(ms => ({ ms, beside: 1 }))
  t.equal(delayOf([]), undefined)
  t.match(delayOf(delays(10, 300, 20)), { ms: 300 })
  t.match(delayOf(delays(10, 9_000, 20)), { ms: 20 })
  t.match(delayOf(delays(10, 9_000)), { ms: 10 })
  t.match(delayOf(delays(9_000)), { ms: 9_000 })
  t.end()
})
