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

  /** Takes a token, if there is one. */
  take(now: number): boolean {
    const { burst, perSecond } = this.options
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) * perSecond) / 1_000)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
