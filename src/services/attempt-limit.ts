import type { Redis } from 'ioredis'
import { RedisCounter } from './rate-limit.js'

export interface AttemptLimitOptions {
  /** Names the counter, as of `createRateLimit`. */
  rule: string
  max: number
  windowMs: number
}

/** Counts attempts at one thing, over all clients, workers and machines. */
export class AttemptLimit {
  readonly #counter: RedisCounter

  constructor(
    redis: Redis,
    private readonly options: AttemptLimitOptions,
  ) {
    this.#counter = new RedisCounter(redis, options.rule, options.windowMs)
  }

  /** @returns seconds until the next attempt when there were too many; undefined when this one may go on */
  async count(name: string): Promise<number | undefined> {
    const { totalHits, resetTime } = await this.#counter.increment(name)
    if (totalHits <= this.options.max) return undefined
    return Math.max(1, Math.ceil(((resetTime?.getTime() ?? 0) - Date.now()) / 1_000))
  }
}
