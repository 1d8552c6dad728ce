/** Requests should wait no longer than this for the event loop of their target. */
const TARGET_MS = 40
/** Below this delay there is room for more. */
const LOW_MS = 25
/** The limit for each target at first, before it is known how long that many take. */
const FIRST = 4
const GROWTH = 1.2
/** No client gets near it. */
const UNLIMITED_FROM = 4_096

/** A finding about the targets. */
export interface Findings {
  /** How long the targets took to come to something that was sent to them. */
  readonly delayMs: number
  /** How many requests of one client were there when it was sent. */
  readonly most: number
  /** The lowest limit, with which each target has something to do. */
  readonly least: number
  /** A client has asked for more than the limit. */
  readonly isReached: boolean
}

/**
 * How many requests of one client may be at the targets at once while others are served beside it. Those that the event
 * loops come to late are too many: a delay grows with the number of requests that cause it, so the limit is the number
 * that would cause the delay that is wanted. It grows while delays are short, but only as far as clients make use of it,
 * so that a sudden flood meets a limit that has been tried.
 */
export class ClientLimit {
  #limit: number | undefined

  get value(): number {
    return this.#limit === undefined || this.#limit >= UNLIMITED_FROM ? Infinity : Math.floor(this.#limit)
  }

  /**
   * Nothing is known yet. What is there already may be what an unlimited client, a proxy for example, has there all the time,
   * so it is not cut back before it is found to delay others.
   * @param held the requests that the client has there already
   */
  begin(least: number, held = 0): void {
    this.#limit ??= Math.max(FIRST * least, held)
  }

  observe({ delayMs, most, least, isReached }: Findings): void {
    this.begin(least)
    let limit = this.#limit ?? Infinity
    if (delayMs > TARGET_MS) limit = Math.min(limit, (most * TARGET_MS) / delayMs)
    else if (delayMs < LOW_MS && isReached) limit = Math.max(limit * GROWTH, limit + 1 / 4)
    this.#limit = Math.max(least, Math.min(limit, UNLIMITED_FROM))
  }

  end(): void {
    this.#limit = undefined
  }
}
