import { once } from 'node:events'
import type { Redis } from 'ioredis'
import type { Logger } from '../../process/log.js'
import type { Claim, RunLease } from './run-lease.js'

const TTL_MS = 30_000
/** Clocks of machines are not further apart. */
const TIME_KEPT_MS = 86_400_000
const CONNECT_MS = 2_000

/** A later time takes the place of an earlier one, and no time comes twice. */
const CLAIM_TIME = `
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`

/** Where instances share a Redis. It is connected to when the first time of a job comes: most instances have no jobs. */
export class RedisRunLease implements RunLease {
  #redis: Redis | undefined

  constructor(
    private readonly url: string,
    private readonly log: Logger,
    /** How long the right to run a job outlives an instance that is killed. */
    private readonly ttlMs = TTL_MS,
  ) {}

  async take(job: string, dueAt: number): Promise<Claim | undefined> {
    // The primary has the code of Redis in its memory only where it is used.
    const { HeldLease } = await import('../../services/held-lease.js')
    const { keys } = await import('../../services/keys.js')
    const redis = await this.#connected()
    const held = await HeldLease.take(redis, `cron:${job}`, this.ttlMs)
    if (held === undefined) return undefined
    try {
      const isOurs = await redis.eval(CLAIM_TIME, 1, keys.cronTime(job), dueAt, TIME_KEPT_MS)
      if (isOurs === 1) return { lost: held.lost, giveBack: () => held.giveBack() }
    } catch (error) {
      await held.giveBack()
      throw error
    }
    await held.giveBack()
    return undefined
  }

  stop(): void {
    this.#redis?.disconnect()
  }

  async #connected(): Promise<Redis> {
    const { createRedis } = await import('../../services/redis.js')
    this.#redis ??= createRedis({ url: this.url }, this.log)
    if (this.#redis.status !== 'ready') {
      await once(this.#redis, 'ready', { signal: AbortSignal.timeout(CONNECT_MS) }).catch(() => {
        throw new Error('Redis is away')
      })
    }
    return this.#redis
  }
}
