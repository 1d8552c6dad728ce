import type { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../process/log.js'

/** Emitted by a client that leaves a server, because the service may have moved to another one. */
export const LEFT = 'outpost:left'

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

/**
 * Follows a Redis that moves. A server that refuses writes or serves no data has often been replaced by another one
 * behind the same name, while the connection to it stays. This leaves the server, so that the name is resolved again,
 * until it finds one that takes writes. The pause between two tries grows from 1 s to 30 s: a Redis that is read-only
 * for long is still read from.
 */
export class RedisFailover {
  #redis: Redis | undefined
  #pauseMs = FIRST_PAUSE_MS
  #following = false

  constructor(private readonly log: Logger) {}

  watch(redis: Redis): void {
    this.#redis = redis
  }

  /** A reply has shown that this server cannot serve. Many may come at once; the first one counts. */
  refused(reason: string): void {
    if (this.#following) return
    this.#following = true
    this.log.warn({ error: reason }, 'redis refuses commands: its address is resolved again')
    void this.#follow()
  }

  async #follow(): Promise<void> {
    while (this.#redis !== undefined && this.#redis.status !== 'end') {
      this.#leave(this.#redis)
      await sleep(this.#pauseMs, undefined, { ref: false })
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
      const role = await roleOf(this.#redis)
      if (role === 'other') continue
      if (role === 'primary') {
        this.log.info('redis accepts commands again')
        this.#pauseMs = FIRST_PAUSE_MS
      }
      // A server that does not tell its role is used. If it refuses again, it is left after the next longer pause.
      break
    }
    this.#following = false
  }

  #leave(redis: Redis): void {
    redis.disconnect(true)
    redis.emit(LEFT)
  }
}

/** A replica and a server without a connection are `other`; a user may lack the right to ask. */
async function roleOf(redis: Redis): Promise<'primary' | 'other' | 'unknown'> {
  if (redis.status !== 'ready') return 'other'
  try {
    const [role] = await redis.role()
    return role === 'master' ? 'primary' : 'other'
  } catch (error) {
    return error instanceof Error && error.name === 'ReplyError' ? 'unknown' : 'other'
  }
}
