import type { RedisStore } from 'connect-redis'
import type { RequestHandler } from 'express'
import type { SessionOptions } from 'express-session'
import type { Redis } from 'ioredis'
import type { Server, ServerOptions } from 'socket.io'
import type { ConfigFor } from '../config/config.js'
import type { Logger } from '../process/log.js'
import type { StartOrder } from '../ipc/messages.js'
import { Cache } from '../services/cache.js'
import { Leases, type Lease, type LeaseOptions, type Leased } from '../services/leases.js'
import { LiveUploads } from '../services/live-uploads.js'
import { ObjectStorage } from '../services/object-storage.js'
import { createRateLimit } from '../services/rate-limit.js'
import { MAX_SESSIONS, Realtime } from '../services/realtime.js'
import type { Session } from '../services/session-backlog.js'
import { createRedis, firstConnection, untilReady } from '../services/redis.js'
import { createSessions, createSessionStore, ownCookieName } from '../services/sessions.js'
import { ClientShares } from './client-shares.js'
import { ShutdownWork } from './shutdown-work.js'

/** How long a start waits for Redis at most: the first answer should come within two seconds. */
const REDIS_PATIENCE_MS = 1_000
/** The same for one that has just been started, or loads its data. */
const EMBEDDED_REDIS_PATIENCE_MS = 1_500

/**
 * The services that an app is lent: the argument of its default export.
 * @example
 * export default function createApp(outpost) {
 *   const app = express()
 *   app.use(outpost.session())
 *   return app
 * }
 */
export interface Outpost {
  /**
   * The shared Redis, an ioredis client. Commands fail at once while Redis is away; none are queued.
   * @example
   * const visits = await outpost.redis.incr('my-app:visits')
   */
  readonly redis: Redis
  /**
   * express-session on that Redis. Options are those of express-session.
   * @example
   * app.use(outpost.session({ cookie: { sameSite: 'strict' } }))
   */
  session(options?: Partial<SessionOptions>): RequestHandler
  /**
   * Middleware that counts requests per client address over all workers, and answers 429 over the limit. Rules of one
   * name count together. Defaults: rule `app`, `RATE_LIMIT_MAX` and `RATE_LIMIT_WINDOW_MS`.
   * @example
   * app.use('/search', outpost.rateLimit({ rule: 'search', max: 30, windowMs: 60_000 }))
   */
  rateLimit(options?: { rule?: string; max?: number; windowMs?: number }): RequestHandler
  /**
   * The Socket.IO server of this worker, joined to the servers of all other workers. The first call creates it, with
   * its options; later options are ignored.
   * @example
   * outpost.io().on('connection', socket => socket.on('hello', name => outpost.io().emit('hello', name)))
   */
  io(options?: Partial<ServerOptions>): Server
  /**
   * Cache-aside in Redis. Over the whole cluster, one reader at a time loads a missing value.
   * @example
   * const user = await outpost.cache.getOrLoad(`user:${id}`, 60, () => database.findUser(id))
   */
  readonly cache: Pick<Cache, 'getOrLoad' | 'write' | 'invalidate'>
  /**
   * Objects in the S3-compatible storage, as streams.
   * @example
   * await outpost.storage.put(`reports/${id}.pdf`, request, { contentType: 'application/pdf' })
   * const report = await outpost.storage.get(`reports/${id}.pdf`)
   * report?.body.pipe(response)
   */
  readonly storage: Pick<ObjectStorage, 'put' | 'get' | 'stat' | 'remove' | 'list' | 'presign'>
  /**
   * Does a piece of work under a lease in Redis, which one process at a time holds: over all workers, and all machines
   * with this Redis. It is renewed until the work is over. Resolves with undefined, and does nothing, while another
   * holds it; `waitMs` waits for it. Rejects with a `LeaseLostError` when it was lost before the work was over.
   * @example
   * const done = await outpost.lease('monthly-bills', async ({ signal, fence }) => {
   *   for (const customer of await customers()) {
   *     signal.throwIfAborted()
   *     await database.saveBill(billOf(customer), { unlessFenceIsOver: fence })
   *   }
   * })
   * if (done === undefined) outpost.log.info('another worker writes the bills')
   */
  lease<T>(name: string, work: (lease: Lease) => T | Promise<T>, options?: LeaseOptions): Promise<Leased<T> | undefined>
  /**
   * A pino logger: JSON lines with the name of this worker.
   * @example
   * outpost.log.info({ orderId }, 'order is paid')
   */
  readonly log: Logger
  /**
   * Registers work for the end of this worker, after its last request. It is awaited within the deadline of the
   * shutdown. Work that was registered last runs first.
   * @example
   * outpost.onShutdown(() => database.close())
   */
  onShutdown(work: () => unknown): void
}

/** The services of one worker. */
export class LentServices {
  readonly redis: Redis
  readonly sessionStore: RedisStore
  readonly realtime: Realtime
  readonly cache: Cache
  readonly storage: ObjectStorage
  readonly leases: Leases
  readonly #liveUploads: LiveUploads
  readonly #config: ConfigFor<'worker'>
  readonly #sessionSecret: string
  readonly #isEmbedded: boolean

  constructor(
    { id: workerId, config, redis: address, storage, sessionSecret }: StartOrder,
    log: Logger,
    private readonly shutdownWork = new ShutdownWork(log),
  ) {
    this.#isEmbedded = 'path' in address
    this.#config = config
    this.#sessionSecret = sessionSecret
    this.redis = createRedis(address, log)
    this.sessionStore = createSessionStore(this.redis, { extend: false })
    this.cache = new Cache(this.redis, log)
    this.leases = new Leases(this.redis, log)
    this.#liveUploads = new LiveUploads(this.redis, log)
    this.storage = new ObjectStorage(storage, this.#liveUploads)
    const { upstreamTimeoutMs } = config
    const shares = new ClientShares<Session>(MAX_SESSIONS)
    this.realtime = new Realtime({ workerId, redis: this.redis, address, upstreamTimeoutMs, log, shares })
  }

  /** Resolves when the services can be used, or when Redis is known to be away or does not answer. */
  async reachable(): Promise<void> {
    if (this.#isEmbedded) await untilReady(this.redis, EMBEDDED_REDIS_PATIENCE_MS)
    else await firstConnection(this.redis, REDIS_PATIENCE_MS)
    if (this.redis.status === 'ready') await this.realtime.joined()
  }

  /** The sessions of the built-in app: 24 hours from the sign-in. */
  builtInSessions(): RequestHandler {
    return this.#sessions(this.sessionStore, { name: ownCookieName(this.#config.production) })
  }

  #sessions(store: RedisStore, options: Partial<SessionOptions> = {}): RequestHandler {
    return createSessions(store, { secret: this.#sessionSecret, production: this.#config.production }, options)
  }

  onShutdown(work: () => unknown): void {
    this.shutdownWork.add(work)
  }

  /** Sessions of an app: see `Outpost`. */
  session(options?: Partial<SessionOptions>): RequestHandler {
    return this.#sessions(createSessionStore(this.redis, { extend: true }), options)
  }

  /** A limit of an app: see `Outpost`. */
  rateLimit({ rule = 'app', max, windowMs }: { rule?: string; max?: number; windowMs?: number } = {}): RequestHandler {
    return createRateLimit(this.redis, {
      rule,
      max: max ?? this.#config.rateLimitMax,
      windowMs: windowMs ?? this.#config.rateLimitWindowMs,
      onLimit: (_request, response) => void response.status(429).type('text/plain').send('Too Many Requests\n'),
    })
  }

  /** Runs the shutdown work that has not run yet, then closes storage and Redis. */
  async stop(): Promise<void> {
    await this.leases.stop()
    await this.shutdownWork.run()
    await this.cache.stop()
    this.#liveUploads.stop()
    this.storage.close()
    this.redis.disconnect()
  }
}
