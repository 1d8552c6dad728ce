export interface BucketOptions {
  /** How many may come at once. */
  burst: number
  perSecond: number
}

/** Lets a burst through, and after it a steady rate. Times in milliseconds of any steady clock. */
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

  /** Takes one, if there is one. */
  take(now: number): boolean {
    const { burst, perSecond } = this.options
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) * perSecond) / 1_000)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
