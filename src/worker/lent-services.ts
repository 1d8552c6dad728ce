import type { RedisStore } from 'connect-redis'
import type { RequestHandler } from 'express'
import type { SessionOptions } from 'express-session'
import type { Redis } from 'ioredis'
import type { Config } from '../config.js'
import type { Logger } from '../core/log.js'
import type { StorageAddress } from '../ipc/messages.js'
import { Cache } from '../services/cache.js'
import { LiveUploads } from '../services/live-uploads.js'
import { ObjectStorage } from '../services/object-storage.js'
import { createRateLimit } from '../services/rate-limit.js'
import { createRedis, type RedisAddress } from '../services/redis.js'
import { createSessions, createSessionStore } from '../services/sessions.js'

/** What an app is handed that exports `(outpost) => app`. */
export interface Outpost {
  /** The shared Redis (an ioredis client that fails fast: no queue while it is away). */
  readonly redis: Redis
  /** express-session on that Redis. */
  session(options?: Partial<SessionOptions>): RequestHandler
  /** Counts requests per client address over all workers; over the limit 429. */
  rateLimit(options?: { rule?: string; max?: number; windowMs?: number }): RequestHandler
  /** Cache-aside in Redis: one load a key at a time over the whole cluster. */
  readonly cache: Pick<Cache, 'getOrLoad' | 'write' | 'invalidate'>
  /** Objects in the S3-compatible storage, as streams. */
  readonly storage: Pick<ObjectStorage, 'put' | 'get' | 'stat' | 'remove' | 'list' | 'presign'>
  readonly log: Logger
  /** Called once at the end of this worker, after its last request; awaited within the shutdown's deadline. */
  onShutdown(work: () => unknown): void
}

/** The services of one worker. */
export class LentServices {
  readonly redis: Redis
  readonly sessionStore: RedisStore
  readonly cache: Cache
  readonly storage: ObjectStorage
  readonly #liveUploads: LiveUploads
  readonly #shutdownWork: Array<() => unknown> = []

  constructor(
    private readonly config: Config,
    address: RedisAddress,
    storageAddress: StorageAddress,
    private readonly sessionSecret: string,
    private readonly log: Logger,
  ) {
    this.redis = createRedis(address, log)
    this.sessionStore = createSessionStore(this.redis)
    this.cache = new Cache(this.redis, log)
    this.#liveUploads = new LiveUploads(this.redis, log)
    this.storage = new ObjectStorage(storageAddress, this.#liveUploads)
  }

  session(options: Partial<SessionOptions> = {}): RequestHandler {
    const { production } = this.config
    return createSessions(this.sessionStore, { secret: this.sessionSecret, production }, options)
  }

  toOutpost(): Outpost {
    const { rateLimitMax, rateLimitWindowMs } = this.config
    return {
      redis: this.redis,
      cache: this.cache,
      storage: this.storage,
      log: this.log,
      session: options => this.session(options),
      rateLimit: ({ rule = 'app', max = rateLimitMax, windowMs = rateLimitWindowMs } = {}) =>
        createRateLimit(this.redis, {
          rule,
          max,
          windowMs,
          onLimit: (_request, response) => void response.status(429).type('text/plain').send('Too Many Requests\n'),
        }),
      onShutdown: work => void this.#shutdownWork.push(work),
    }
  }

  /** Runs what the app asked for, last come first, then lets go of storage and Redis. */
  async stop(): Promise<void> {
    for (const work of this.#shutdownWork.splice(0).reverse()) {
      try {
        await work()
      } catch (error) {
        this.log.error({ err: error }, 'onShutdown failed')
      }
    }
    await this.cache.stop()
    this.#liveUploads.stop()
    this.storage.close()
    this.redis.disconnect()
  }
}
