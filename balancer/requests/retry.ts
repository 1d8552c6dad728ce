import type { IncomingMessage } from 'node:http'
import type { AttemptFailure } from '../transports/transport.js'

/**
 * Beyond the failures of the connection:
 * - `timeout`: no answer in time
 * - `down`: the target went down while the request waited for its answer
 */
export type TryFailure = AttemptFailure | 'timeout' | 'down'

export interface TryFacts {
  failure: TryFailure
  /** The request may be sent twice: see `maySendAgain`, and its body is empty or held. */
  repeatable: boolean
  /** The target's process has died, which is not the request's fault. */
  targetGone: boolean
  /** Failed tries that count, this one included. */
  failedTries: number
  /** Tries beyond the first that are allowed. */
  retries: number
}

/** A `free` retry is not charged to the budget. */
export type RetryVerdict = 'no' | 'free' | 'budget'

/** May this request be tried again? */
export function judgeRetry(facts: TryFacts): RetryVerdict {
  if (facts.failure === 'connect') return facts.targetGone || facts.failedTries <= facts.retries ? 'free' : 'no'
  // A reset looks the same whether the target never read the request or died while handling it. So a request that must
  // not be handled twice is not sent twice.
  if (!facts.repeatable || facts.failure === 'timeout') return 'no'
  if (facts.targetGone || facts.failure === 'down') return 'free'
  return facts.failedTries <= facts.retries ? 'budget' : 'no'
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The parts of a request that tell whether it may be sent twice. */
export type Sendable = Pick<IncomingMessage, 'method' | 'headers'>

/** The method is read-only (RFC 9110, section 9.2.1), or the sender has made the request repeatable. */
export function maySendAgain({ method, headers }: Sendable): boolean {
  const key = headers['idempotency-key']
  return SAFE_METHODS.has(method ?? '') || (key !== undefined && key !== '')
}

/**
 * Limits retries to a share of the requests of the last ten seconds, but always allows a few, so that an outage does
 * not double the traffic. Times are in milliseconds of any steady clock.
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

  /** Takes one retry if there is one left. */
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
