import type { Logger } from '../process/log.js'
import type { StartOrder } from '../ipc/messages.js'
import { LentServices, type Outpost } from './lent-services.js'
import type { Door } from './worker-server.js'

/** The services of a worker with somebody else's app. They are made when the app asks for them: most do not. */
export class AppServices {
  #lent: LentServices | undefined

  constructor(
    private readonly start: StartOrder,
    private readonly log: Logger,
  ) {}

  /** Takes the requests of the lent Socket.IO server. */
  readonly door: Door = {
    owns: request => this.#lent?.realtime.owns(request) === true,
    handleRequest: (request, response) => this.#lent?.realtime.handleRequest(request, response),
    handleUpgrade: (request, socket, head) => this.#lent?.realtime.handleUpgrade(request, socket, head),
  }

  lend(): Outpost {
    this.#lent ??= new LentServices(this.start, this.log)
    return this.#lent.toOutpost()
  }

  /** Over when what was lent can be used, or is known to be away. */
  async reachable(): Promise<void> {
    await this.#lent?.reachable()
  }

  drain(): void {
    this.#lent?.realtime.drain()
  }

  endRealtime(): void {
    this.#lent?.realtime.stop()
  }

  async runShutdownWork(): Promise<void> {
    await this.#lent?.runShutdownWork()
  }

  async stop(): Promise<void> {
    await this.#lent?.stop()
  }
}
