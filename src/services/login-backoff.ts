import type { Redis } from 'ioredis'
import { keys } from './keys.js'

/** Wrong passwords that cost nothing, for people who mistype. */
const FREE_FAILURES = 5
const MAX_WAIT_SECONDS = 15 * 60

/**
 * Makes guessing one account's password slower and slower. Counted by account and client together: by account alone,
 * anybody could lock anybody out.
 */
export class LoginBackoff {
  constructor(private readonly redis: Redis) {}

  /** Seconds until the next try is allowed; 0 when it is now. */
  async wait(username: string, client: string): Promise<number> {
    const [failures, ttl] = await this.#failures(keys.failedLogins(username, client))
    const since = MEMORY_SECONDS - ttl
    return failures === 0 ? 0 : Math.max(0, waitAfter(failures) - since)
  }

  async failed(username: string, client: string): Promise<void> {
    const key = keys.failedLogins(username, client)
    await this.redis.multi().incr(key).expire(key, MEMORY_SECONDS).exec()
  }

  async succeeded(username: string, client: string): Promise<void> {
    await this.redis.del(keys.failedLogins(username, client))
  }

  async #failures(key: string): Promise<[failures: number, ttl: number]> {
    const replies = await this.redis.multi().get(key).ttl(key).exec()
    const [count, ttl] = (replies ?? []).map(([error, reply]) => {
      if (error !== null) throw error
      return reply
    })
    return [Number(count ?? 0), Number(ttl ?? 0)]
  }
}

/** Each failure starts the time anew; what is left of it tells how long ago the last one was. */
const MEMORY_SECONDS = 60 * 60

/** 0 for the first five, then 1, 2, 4 … seconds, at most a quarter of an hour. */
export function waitAfter(failures: number): number {
  return failures < FREE_FAILURES ? 0 : Math.min(2 ** (failures - FREE_FAILURES), MAX_WAIT_SECONDS)
}
