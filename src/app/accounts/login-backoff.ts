import type { Redis } from 'ioredis'
import { accountKeys } from './account-keys.js'

/** The number of wrong passwords without a wait, for people who mistype. */
const FREE_FAILURES = 5
const MAX_WAIT_SECONDS = 15 * 60

/**
 * Makes guessing one account's password slower and slower. Failures count by account and client together: by account
 * alone, anybody could lock anybody out.
 */
export class LoginBackoff {
  constructor(private readonly redis: Redis) {}

  /** Seconds until the next try is allowed; 0 when it is now. */
  async wait(username: string, client: string): Promise<number> {
    const key = accountKeys.failedLogins(username, client)
    return waitLeft(await this.redis.multi().get(key).ttl(key).exec())
  }

  /**
   * Records a wrong password.
   * @returns seconds to wait, if others have failed in the meantime; 0 when the caller may learn that it was wrong.
   *   Without it, passwords guessed all at once would each get their answer.
   */
  async failed(username: string, client: string): Promise<number> {
    const key = accountKeys.failedLogins(username, client)
    return waitLeft(await this.redis.multi().get(key).ttl(key).incr(key).expire(key, MEMORY_SECONDS).exec())
  }

  /**
   * Forgets the failures.
   * @returns seconds to wait, if others have failed in the meantime: nothing is forgotten; 0 when the caller is in.
   */
  async succeeded(username: string, client: string): Promise<number> {
    const seconds = await this.wait(username, client)
    if (seconds === 0) await this.redis.del(accountKeys.failedLogins(username, client))
    return seconds
  }
}

/** From the replies to GET and TTL. */
function waitLeft(replies: [error: Error | null, reply: unknown][] | null): number {
  const [failures, ttl] = (replies ?? []).map(([error, reply]) => {
    if (error !== null) throw error
    return Number(reply ?? 0)
  })
  if (failures === undefined || ttl === undefined) throw new Error('Redis did not say how many sign-ins failed')
  const since = MEMORY_SECONDS - ttl
  return failures === 0 ? 0 : Math.max(0, waitAfter(failures) - since)
}

/** Each failure restarts the time to live, so the rest of it shows how long ago the last failure was. */
const MEMORY_SECONDS = 60 * 60

/** 0 for the first five, then 1, 2, 4 … seconds, at most a quarter of an hour. */
export function waitAfter(failures: number): number {
  return failures < FREE_FAILURES ? 0 : Math.min(2 ** (failures - FREE_FAILURES), MAX_WAIT_SECONDS)
}
