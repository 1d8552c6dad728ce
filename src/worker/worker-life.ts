import { exit, exitCodes } from '../process/exit.js'
import { createLog, type Logger } from '../process/log.js'
import { SecurityEvents } from '../process/security-events.js'
import type { StartOrder } from '../ipc/messages.js'
import { Parent, type MessageSource } from '../ipc/parent.js'
import type { Mesh } from './mesh.js'
import type { WorkerServer } from './worker-server.js'

/** How a worker ends. */
export interface Leaving {
  /** Ends long-lived sessions, so that their clients go to other workers. */
  drain(): void
  /** Ends the process, once the clients of mesh mode have left. */
  leave(deadlineMs: number, mesh: Mesh | undefined): Promise<void>
}

/** The common part of every worker: it follows the primary, balances in mesh mode, and ends at a bug. */
export class WorkerLife {
  readonly log: Logger
  readonly #security: SecurityEvents
  #mesh: Mesh | undefined

  static async join(source?: MessageSource): Promise<WorkerLife> {
    const { parent, start } = await Parent.join('start', source)
    return new WorkerLife(parent, start)
  }

  private constructor(
    readonly parent: Parent,
    readonly start: StartOrder,
  ) {
    this.log = createLog(`worker ${start.id}`, start.config.logLevel)
    this.#security = new SecurityEvents(this.log)
    // Added only when an exception is thrown: an app's own listener takes precedence, and some apps count the listeners.
    process.on('uncaughtExceptionMonitor', () => {
      if (process.listenerCount('uncaughtException') === 0) {
        process.once('uncaughtException', error => this.#crash(error))
      }
    })
  }

  /**
   * The app listens: takes part from now on.
   * @param host the address that it asked for
   */
  async serve(server: WorkerServer, leaving: Leaving, host?: string): Promise<void> {
    const { parent, start, log } = this
    parent.countRequestsBy(() => ({ ...server.count.counts, waiting: this.#mesh?.waiting() ?? 0 }))
    if (start.mesh) this.#mesh = (await import('./mesh.js')).serveMesh(start, parent, server, log)
    // Without frames the balancers use connections, so a failure is none of the worker's.
    else await server.takeFrames().catch((error: unknown) => log.warn({ err: error }, 'worker takes no frames'))
    const leave = (deadlineMs: number): Promise<void> => leaving.leave(deadlineMs, this.#mesh)
    parent.on('order', order => {
      if (order.type === 'drain') leaving.drain()
      else if (order.type === 'stop') void leave(order.deadlineMs)
    })
    parent.whenGone(leave)
    parent.begin()
    parent.report({ type: 'ready', ...(host === undefined ? {} : { host }) })
  }

  /** Somebody who is not a balancer of this instance has sent a request to this worker's socket. */
  noteRefused(): void {
    this.#security.note('identity-refused', 'request was refused: no balancer of this instance has sent it')
  }

  /** The app cannot be served. */
  fail(error: Error): never {
    this.parent.report({ type: 'failed', reason: error.message })
    this.log.fatal({ err: error }, 'app failed to start')
    exit(exitCodes.failure)
  }

  #crash(error: Error): void {
    if (this.#mesh !== undefined) return this.#mesh.crash(error)
    this.log.fatal({ err: error }, 'worker threw an uncaught exception')
    exit(exitCodes.failure)
  }
}
