import type { RedisStore } from 'connect-redis'
import type { RequestHandler } from 'express'
import type { SessionOptions } from 'express-session'
import type { Redis } from 'ioredis'
import type { Server, ServerOptions } from 'socket.io'
import type { Config } from '../config/config.js'
import type { Logger } from '../process/log.js'
import type { StartOrder } from '../ipc/messages.js'
import { Cache } from '../services/cache.js'
import { LiveUploads } from '../services/live-uploads.js'
import { ObjectStorage } from '../services/object-storage.js'
import { createRateLimit } from '../services/rate-limit.js'
import { Realtime } from '../services/realtime.js'
import { createRedis, firstConnection } from '../services/redis.js'
import { createSessions, createSessionStore } from '../services/sessions.js'

/** A start does not wait longer than this for Redis: the first answer is to come within two seconds. */
const REDIS_PATIENCE_MS = 1_000

/** What an app is handed that exports `(outpost) => app`. */
export interface Outpost {
  /** The shared Redis (an ioredis client that fails fast: no queue while it is away). */
  readonly redis: Redis
  /** express-session on that Redis. */
  session(options?: Partial<SessionOptions>): RequestHandler
  /** Counts requests per client address over all workers; over the limit 429. */
  rateLimit(options?: { rule?: string; max?: number; windowMs?: number }): RequestHandler
  /** The Socket.IO server of this worker, joined to those of all others; made at the first call, with its options. */
  io(options?: Partial<ServerOptions>): Server
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
  readonly realtime: Realtime
  readonly cache: Cache
  readonly storage: ObjectStorage
  readonly #liveUploads: LiveUploads
  readonly #config: Config
  readonly #sessionSecret: string
  readonly #shutdownWork: Array<() => unknown> = []

  constructor(
    { id: workerId, config, redis: address, storage, sessionSecret }: StartOrder,
    private readonly log: Logger,
  ) {
    this.#config = config
    this.#sessionSecret = sessionSecret
    this.redis = createRedis(address, log)
    this.sessionStore = createSessionStore(this.redis, { extend: false })
    this.cache = new Cache(this.redis, log)
    this.#liveUploads = new LiveUploads(this.redis, log)
    this.storage = new ObjectStorage(storage, this.#liveUploads)
    const { upstreamTimeoutMs } = config
    this.realtime = new Realtime({ workerId, redis: this.redis, address, upstreamTimeoutMs, log })
  }

  /** Over when they can be used, or when what is behind them cannot be reached for now. */
  async reachable(): Promise<void> {
    await firstConnection(this.redis, REDIS_PATIENCE_MS)
    if (this.redis.status === 'ready') await this.realtime.joined()
  }

  /** The sessions of the built-in app: 24 hours from the sign-in. */
  builtInSessions(): RequestHandler {
    return this.#sessions(this.sessionStore)
  }

  #sessions(store: RedisStore, options: Partial<SessionOptions> = {}): RequestHandler {
    return createSessions(store, { secret: this.#sessionSecret, production: this.#config.production }, options)
  }

  onShutdown(work: () => unknown): void {
    this.#shutdownWork.push(work)
  }

  toOutpost(): Outpost {
    const { rateLimitMax, rateLimitWindowMs } = this.#config
    return {
      redis: this.redis,
      cache: this.cache,
      storage: this.storage,
      log: this.log,
      session: options => this.#sessions(createSessionStore(this.redis, { extend: true }), options),
      rateLimit: ({ rule = 'app', max = rateLimitMax, windowMs = rateLimitWindowMs } = {}) =>
        createRateLimit(this.redis, {
          rule,
          max,
          windowMs,
          onLimit: (_request, response) => void response.status(429).type('text/plain').send('Too Many Requests\n'),
        }),
      io: options => this.realtime.io(options),
      onShutdown: work => this.onShutdown(work),
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
