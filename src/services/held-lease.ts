import type { Redis, Result } from 'ioredis'
import { v4 as uuid } from 'uuid'
import { keys } from './keys.js'
import { untilReady } from './redis.js'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    takeLease(
      lease: string,
      fence: string,
      token: string,
      ttlMs: number,
      keptMs: number,
    ): Result<string | null, Context>
    renewLease(lease: string, token: string, ttlMs: number): Result<number, Context>
    endLease(lease: string, token: string): Result<number, Context>
  }
}

/**
 * The number is that of Redis's clock in microseconds, or one more than the last. So it grows even when Redis has lost
 * the last one, and its key need not be kept for ever.
 */
const TAKE = `
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('SET', KEYS[2], fence, 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return fence
`
const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`
const END = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`

const DAY_MS = 86_400_000
const RETRY_MS = 500
const RECONNECT_PATIENCE_MS = 2_000

/** Another may have the lease by now. */
export class LeaseLostError extends Error {
  constructor(
    readonly lease: string,
    reason: string,
  ) {
    super(`lease "${lease}" is lost: ${reason}`)
    this.name = 'LeaseLostError'
  }
}

/**
 * A lease in Redis that is held, and renewed until it is given back or lost. It is lost when Redis says so, or when no
 * renewal has succeeded for as long as it lasts: its holder knows before another can have it.
 */
export class HeldLease {
  readonly #lost = new AbortController()
  /** Aborts with a `LeaseLostError` when another may have the lease. */
  readonly lost: AbortSignal = this.#lost.signal
  #renewal: NodeJS.Timeout | undefined
  #end: NodeJS.Timeout | undefined
  #over = false

  private constructor(
    private readonly redis: Redis,
    readonly name: string,
    private readonly token: string,
    /** Greater than that of every earlier holder. */
    readonly fence: number,
    private readonly ttlMs: number,
    takenAt: number,
  ) {
    this.#lastsFrom(takenAt)
    this.#renewIn(ttlMs / 3)
  }

  /**
   * @param ttlMs how long the lease outlives its holder
   * @returns undefined when another holds it
   * @throws {Error} Redis does not answer
   */
  static async take(redis: Redis, name: string, ttlMs: number): Promise<HeldLease | undefined> {
    defineLeaseScripts(redis)
    const token = uuid()
    const takenAt = performance.now()
    try {
      const fence = await redis.takeLease(keys.lease(name), keys.fence(name), token, Math.ceil(ttlMs), DAY_MS)
      return fence === null ? undefined : new HeldLease(redis, name, token, Number(fence), ttlMs, takenAt)
    } catch (error) {
      // It may have been taken all the same.
      void endLease(redis, name, token)
      throw error
    }
  }

  /** Gives it back, so that another can have it at once. Idempotent. */
  async giveBack(): Promise<void> {
    if (this.#over) return
    this.#close()
    await endLease(this.redis, this.name, this.token)
  }

  async #renew(): Promise<void> {
    const askedAt = performance.now()
    try {
      const renewed = await this.redis.renewLease(keys.lease(this.name), this.token, Math.ceil(this.ttlMs))
      if (this.#over) return
      if (renewed === 0) return this.#lose('another has it, or Redis has forgotten it')
      this.#lastsFrom(askedAt)
      this.#renewIn(this.ttlMs / 3)
    } catch {
      this.#renewIn(RETRY_MS)
    }
  }

  #renewIn(ms: number): void {
    if (!this.#over) this.#renewal = setTimeout(() => void this.#renew(), ms)
  }

  /** Redis counts from a little later. */
  #lastsFrom(time: number): void {
    clearTimeout(this.#end)
    const leftMs = time + this.ttlMs - performance.now()
    this.#end = setTimeout(() => this.#lose('Redis did not answer for as long as it lasts'), leftMs)
  }

  #lose(reason: string): void {
    if (this.#over) return
    this.#close()
    this.#lost.abort(new LeaseLostError(this.name, reason))
  }

  #close(): void {
    this.#over = true
    clearTimeout(this.#renewal)
    clearTimeout(this.#end)
  }
}

/**
 * Says that a lease is over. Without this message it ends by itself, but later. A connection that was cut
 * is soon back, so the message waits for it once.
 */
async function endLease(redis: Redis, name: string, token: string): Promise<void> {
  const end = (): Promise<unknown> => redis.endLease(keys.lease(name), token)
  await end()
    .catch(() => untilReady(redis, RECONNECT_PATIENCE_MS).then(end))
    .catch(() => undefined)
}

function defineLeaseScripts(redis: Redis): void {
  if ((redis as Partial<Redis>).takeLease !== undefined) return
  redis.defineCommand('takeLease', { numberOfKeys: 2, lua: TAKE })
  redis.defineCommand('renewLease', { numberOfKeys: 1, lua: RENEW })
  redis.defineCommand('endLease', { numberOfKeys: 1, lua: END })
}
