import { randomBytes } from 'node:crypto'
import type { Config } from '../../config/config.js'
import { embeddables, embedsAtStart, hasServerOfItsOwn, mayEmbed, type Embeddable } from '../../config/embedding.js'
import type { StartOrder } from '../../ipc/messages.js'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import type { InstanceFolder } from '../host/instance-folder.js'
import type { ShutdownClock } from '../host/shutdown-clock.js'
import { embeddedRedis, type RedisLogin } from './embedded-redis.js'
import { embeddedStore } from './embedded-store.js'
import { loopbackPort } from './loopback-port.js'
import type { ManagedServer } from './managed-server.js'
import { chooseBackend, type StorePlace } from './store-backend.js'
import { placeOfStore } from './store-place.js'

export interface EmbeddedServersOptions {
  config: Config
  folder: InstanceFolder
  /** Path of the named pipe whose end stops them. */
  lifeline: string
  shutdown: ShutdownClock
  log: Logger
  /** The program: `dist/main.js`. */
  program: string
}

const REDIS_STOP_MS = 5_000
/** Longer than the embedded store waits for the requests that it has begun. */
const STORE_STOP_MS = 8_000
const STORE_USER = 'outpost'
const UNUSED = 'not running: nothing uses it'

/** Redis and the object store: where they are, and those that Outpost runs itself, from the start or once they are used. */
export class EmbeddedServers implements Service {
  readonly #running = new Map<Embeddable, ManagedServer>()
  #storeName = 'embedded'
  #stopped: Promise<void> | undefined

  private constructor(
    private readonly options: EmbeddedServersOptions,
    /** Apps of other people reach Redis by a port. */
    private readonly login: RedisLogin | undefined,
    readonly storage: StartOrder['storage'],
    private readonly storePlace: StorePlace,
  ) {}

  /** Finds a place for each. Nothing runs yet. @throws {Error} a fault that a person can fix */
  static prepare(options: EmbeddedServersOptions): EmbeddedServers {
    const { config, folder } = options
    const { endpoint, accessKey = '', secretKey = '', bucket, region } = config.s3
    const place = placeOfStore(config, folder)
    const storage =
      endpoint === undefined
        ? { ...addressOf(place), accessKey: STORE_USER, secretKey: folder.secret('store-secret'), bucket, region }
        : { endpoint, accessKey, secretKey, bucket, region }
    const hasPort = config.app !== undefined && mayEmbed(config, 'redis')
    const login = hasPort
      ? {
          port: loopbackPort(folder.redisPortFile),
          // New at each start: a program that got the port while it was free may have been told the last one.
          password: randomBytes(32).toString('base64url'),
          file: folder.redisLoginFile,
        }
      : undefined
    return new EmbeddedServers(options, login, storage, place)
  }

  /** The address of Redis, as workers get it. */
  get redis(): StartOrder['redis'] {
    const { config, folder } = this.options
    if (config.redisUrl !== undefined) return { url: config.redisUrl }
    return { path: folder.redisSocket, ...(this.login && { password: this.login.password }) }
  }

  /** The variables that name the servers which run for an app. None of them is one that the person has set. */
  environment(): Record<string, string> {
    const found: Record<string, string> = {}
    const { login, storage } = this
    if (login !== undefined && this.#isFor('redis')) {
      found['REDIS_URL'] = `redis://:${login.password}@127.0.0.1:${login.port}`
    }
    if (this.#isFor('storage') && this.storePlace.port !== undefined) {
      const { endpoint, accessKey, secretKey, bucket, region } = storage
      Object.assign(found, { S3_ENDPOINT: endpoint, S3_ACCESS_KEY: accessKey, S3_SECRET_KEY: secretKey })
      Object.assign(found, { S3_BUCKET: bucket, S3_REGION: region })
    }
    return found
  }

  /** For the start summary. */
  get storageName(): string {
    const { endpoint } = this.options.config.s3
    return endpoint ?? (this.#running.has('storage') ? this.#storeName : UNUSED)
  }

  /** For the start summary; undefined for the Redis of REDIS_URL. */
  get redisName(): string | undefined {
    if (this.options.config.redisUrl !== undefined) return undefined
    return this.#running.has('redis') ? 'embedded' : UNUSED
  }

  /** Starts those that are needed from the start. */
  start(): Promise<void> {
    for (const service of embeddables) if (embedsAtStart(this.options.config, service)) this.#run(service)
    return Promise.resolve()
  }

  /** Starts one that an app has begun to use. */
  need(service: Embeddable): void {
    const { config, log } = this.options
    if (this.#stopped !== undefined || this.#running.has(service) || !mayEmbed(config, service)) return
    try {
      this.#run(service)
      log.info({ service }, `${service} is started: the app uses it`)
    } catch (error) {
      log.error({ service }, `${service} cannot be started: ${(error as Error).message}`)
    }
  }

  /** Resolves when the Redis that was started serves, or after `timeoutMs`. */
  async redisServing(timeoutMs: number): Promise<void> {
    await this.#running.get('redis')?.serving(timeoutMs)
  }

  /** Resolves when all that were started serve, or after `timeoutMs`. */
  async serving(timeoutMs: number): Promise<void> {
    await Promise.all([...this.#running.values()].map(server => server.serving(timeoutMs)))
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    // Redis ends last: the store's users may still note something there.
    await this.#running.get('storage')?.stop()
    await this.#running.get('redis')?.stop()
  }

  #isFor(service: Embeddable): boolean {
    return embedsAtStart(this.options.config, service) && !hasServerOfItsOwn(service)
  }

  #run(service: Embeddable): void {
    const server = service === 'redis' ? this.#makeRedis() : this.#makeStore()
    this.#running.set(service, server)
    void server.start()
  }

  #makeRedis(): ManagedServer {
    const { folder, lifeline, shutdown, log } = this.options
    const { redisDir: directory, redisSocket: socketPath } = folder
    const stopTimeoutMs = (): number => shutdown.patience(REDIS_STOP_MS)
    const login = this.login && { login: this.login }
    return embeddedRedis({ directory, socketPath, ...login, lifeline, stopTimeoutMs, log })
  }

  #makeStore(): ManagedServer {
    const { config, folder, lifeline, shutdown, log, program } = this.options
    const { objectsDir, minioDir } = folder
    const { cacheDir, logLevel, minFreeBytes, storePort } = config
    const backend = chooseBackend(program, { objectsDir, minioDir, cacheDir, storePort })
    this.#storeName = backend.name
    const { accessKey, secretKey, region } = this.storage
    const stopTimeoutMs = (): number => shutdown.patience(STORE_STOP_MS)
    const settings = { place: this.storePlace, region, accessKey, secretKey, minFreeBytes, lifeline, logLevel }
    return embeddedStore({ backend, ...settings, log, stopTimeoutMs })
  }
}

/** The address for clients. They use the unix socket in place of the endpoint, and name the endpoint in Host only. */
function addressOf({ socketPath, port }: StorePlace): { endpoint: string; socketPath?: string } {
  const endpoint = `http://127.0.0.1${port === undefined ? '' : `:${port}`}`
  return socketPath === undefined ? { endpoint } : { endpoint, socketPath }
}
