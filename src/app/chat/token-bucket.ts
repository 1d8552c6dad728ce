export interface BucketOptions {
  /** The largest burst. */
  burst: number
  perSecond: number
}

/** Passes a burst, and after it a steady rate. Times in milliseconds of any steady clock. */
export class TokenBucket {
  #tokens: number
  #at: number

  constructor(
    private readonly options: BucketOptions,
    now: number,
  ) {
    this.#tokens = options.burst
    this.#at = now
  }

  /** Takes as many tokens as something costs (1), if there are that many. A cost above a burst counts as a burst. */
  take(now: number, cost = 1): boolean {
    this.#refill(now)
    const tokens = Math.min(cost, this.options.burst)
    if (this.#tokens < tokens) return false
    this.#tokens -= tokens
    return true
  }

  /** Nothing was taken for so long that all is there again. */
  isFull(now: number): boolean {
    this.#refill(now)
    return this.#tokens >= this.options.burst
  }

  #refill(now: number): void {
    const { burst, perSecond } = this.options
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) * perSecond) / 1_000)
    this.#at = now
  }
}
