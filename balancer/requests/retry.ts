/**
 * - `connect`: no connection came about, so nothing was sent
 * - `reset`: the connection broke after the request, or a part of it, was sent
 * - `timeout`: no answer in time
 * - `down`: the target was found hung or gone while the request waited for its answer
 */
export type Failure = 'connect' | 'reset' | 'timeout' | 'down'

export interface TryFacts {
  failure: Failure
  /** The request may be sent twice: see `isRepeatable`, and its body is empty or held. */
  repeatable: boolean
  /** The target's process has gone: its loss is not the request's fault. */
  targetGone: boolean
  /** Tries that failed so far and count, this one included. */
  failedTries: number
  /** Tries beyond the first that are allowed. */
  retries: number
}

/** `free` is not charged to the budget. */
export type RetryVerdict = 'no' | 'free' | 'budget'

/** May this request be tried again? */
export function judgeRetry(facts: TryFacts): RetryVerdict {
  if (facts.failure === 'connect') return facts.targetGone || facts.failedTries <= facts.retries ? 'free' : 'no'
  // A reset on a kept connection looks the same whether the target never read the request or died while handling it:
  // what must not happen twice is not sent twice.
  if (!facts.repeatable || facts.failure === 'timeout') return 'no'
  if (facts.targetGone || facts.failure === 'down') return 'free'
  return facts.failedTries <= facts.retries ? 'budget' : 'no'
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Methods that read only (RFC 9110, section 9.2.1), or a request whose sender made it repeatable. */
export function isRepeatable(method: string | undefined, idempotencyKey: string | string[] | undefined): boolean {
  return SAFE_METHODS.has(method ?? '') || (idempotencyKey !== undefined && idempotencyKey !== '')
}

/**
 * Tries beyond the first may be a share of the requests of the last ten seconds, and always a few: an outage is not
 * answered with twice the traffic. Times in milliseconds of any steady clock.
 */
export class RetryBudget {
  #window = new Array<{ second: number; requests: number; retries: number }>()

  constructor(
    private readonly ratio: number,
    private readonly floorPerSecond: number,
  ) {}

  recordRequest(now: number): void {
    this.#bucket(now).requests += 1
  }

  /** Takes one try, if there is one left. */
  take(now: number): boolean {
    const bucket = this.#bucket(now)
    const requests = this.#window.reduce((sum, { requests }) => sum + requests, 0)
    const retries = this.#window.reduce((sum, { retries }) => sum + retries, 0)
    if (bucket.retries >= this.floorPerSecond && retries >= requests * this.ratio) return false
    bucket.retries += 1
    return true
  }

  #bucket(now: number): { second: number; requests: number; retries: number } {
    const second = Math.floor(now / 1_000)
    const last = this.#window.at(-1)
    if (last?.second === second) return last
    const fresh = { second, requests: 0, retries: 0 }
    this.#window = [...this.#window.filter(bucket => bucket.second > second - WINDOW_SECONDS), fresh]
    return fresh
  }
}

const WINDOW_SECONDS = 10
