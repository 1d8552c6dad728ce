import type { Test } from 'tap'

interface FakeTimer {
  at: number
  fn: () => void
  unref(): FakeTimer
  ref(): FakeTimer
}

/** Replaces `setTimeout` and `performance.now` for one test. Time passes only when the test advances it. */
export class FakeClock {
  #now = 1_000_000
  readonly #timers = new Set<FakeTimer>()

  constructor(t: Test) {
    const setTimer = (fn: () => void, ms = 0): FakeTimer => {
      const timer = { at: this.#now + ms, fn, unref: () => timer, ref: () => timer }
      this.#timers.add(timer)
      return timer
    }
    t.intercept(globalThis, 'setTimeout', { value: setTimer })
    t.intercept(globalThis, 'clearTimeout', { value: (timer: FakeTimer) => this.#timers.delete(timer) })
    t.intercept(performance, 'now', { value: () => this.#now })
  }

  get now(): number {
    return this.#now
  }

  get pending(): number {
    return this.#timers.size
  }

  /** Time passes in a busy event loop: no timer runs. */
  stall(ms: number): void {
    this.#now += ms
  }

  /** Lets time pass, and runs the timers that fall due, in their order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.fn()
    }
    this.#now = end
  }
}
