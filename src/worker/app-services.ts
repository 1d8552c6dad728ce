import type { Embeddable } from '../config/embedding.js'
import type { StartOrder } from '../ipc/messages.js'
import type { Logger } from '../process/log.js'
import type { LentServices, Outpost } from './lent-services.js'
import { ShutdownWork } from './shutdown-work.js'
import type { EarlyHandler } from './worker-server.js'

/** The services of a worker with somebody else's app. They are made when the app uses them: most do not. */
export class AppServices {
  #lent: LentServices | undefined
  readonly #asked = new Set<Embeddable>()
  readonly #shutdownWork: ShutdownWork

  /** @param ask has the primary run a server, if it does not yet */
  constructor(
    private readonly start: StartOrder,
    private readonly ask: (service: Embeddable) => void,
    private readonly log: Logger,
  ) {
    this.#shutdownWork = new ShutdownWork(log)
  }

  /** Takes the requests of the lent Socket.IO server. */
  readonly door: EarlyHandler = {
    owns: request => this.#lent?.realtime.owns(request) === true,
    handleRequest: (request, response) => this.#lent?.realtime.handleRequest(request, response),
    handleUpgrade: (request, socket, head) => this.#lent?.realtime.handleUpgrade(request, socket, head),
  }

  /** The argument of the app's function. Services that the app does not use cost nothing, and their modules are not loaded. */
  async lend(): Promise<Outpost> {
    const { LentServices } = await import('./lent-services.js')
    const make = (): LentServices => new LentServices(this.start, this.log, this.#shutdownWork)
    const use = (name: keyof Outpost): LentServices => this.#use(name, make)
    const { log } = this
    return {
      get redis() {
        return use('redis').redis
      },
      get cache() {
        return use('cache').cache
      },
      get storage() {
        return use('storage').storage
      },
      session: options => use('session').session(options),
      rateLimit: options => use('rateLimit').rateLimit(options),
      io: options => use('io').realtime.io(options),
      lease: (name, work, options) => use('lease').leases.lease(name, work, options),
      log,
      onShutdown: work => this.#shutdownWork.add(work),
    }
  }

  /** @throws {Error} the server that it needs does not run */
  #use(name: keyof Outpost, make: () => LentServices): LentServices {
    this.#need('redis', name)
    if (name === 'storage') this.#need('storage', name)
    this.#lent ??= make()
    return this.#lent
  }

  #need(service: Embeddable, name: keyof Outpost): void {
    const { config, elsewhere, embeddable } = this.start
    if (elsewhere.includes(service) || this.#asked.has(service)) return
    if (!embeddable.includes(service)) {
      const [what, variable] = service === 'redis' ? ['Redis', 'REDIS_URL'] : ['object store', 'S3_ENDPOINT']
      throw new Error(`outpost.${name} has no ${what} with EMBED=${config.embed}: set ${variable}, or EMBED=auto`)
    }
    this.#asked.add(service)
    this.ask(service)
  }

  /** Resolves when the lent services can be used, or are known to be away. */
  async reachable(): Promise<void> {
    await this.#lent?.reachable()
  }

  /** Whether the app uses what it is lent. */
  get areUsed(): boolean {
    return this.#lent !== undefined
  }

  drain(): void {
    this.#lent?.realtime.drain()
  }

  endRealtime(): void {
    this.#lent?.realtime.stop()
  }

  /** Names of the leases that the app holds. */
  leases(): string[] {
    return this.#lent?.leases.names ?? []
  }

  async runShutdownWork(): Promise<void> {
    // Work under a lease may need what the functions of `onShutdown` close.
    await this.#lent?.leases.stop()
    await this.#shutdownWork.run()
  }

  async stop(): Promise<void> {
    await this.runShutdownWork()
    await this.#lent?.stop()
  }
}
