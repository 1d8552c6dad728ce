import { setTimeout as sleep } from 'node:timers/promises'
import { exit, exitCodes } from '../process/exit.js'
import type { AppListeners } from './app-listeners.js'
import type { AppServices } from './app-services.js'
import type { Mesh } from './mesh.js'
import type { OwnEvents } from './own-events.js'
import type { Leaving } from './worker-life.js'
import type { WorkerServer } from './worker-server.js'

/**
 * How a worker with somebody else's app ends: requests end, then the work given to `onShutdown` runs, then the app's own
 * listeners of SIGTERM, with its server still open.
 */
export class AppDeparture implements Leaving {
  constructor(
    private readonly served: WorkerServer,
    private readonly listeners: AppListeners,
    private readonly services: AppServices,
    private readonly events: OwnEvents,
    /** Told at the beginning of the end. */
    private readonly onLeave: () => void,
  ) {}

  drain(): void {
    this.services.drain()
  }

  async leave(deadlineMs: number, mesh: Mesh | undefined): Promise<void> {
    const { served, listeners, services, events } = this
    this.onLeave()
    const deadline = performance.now() + deadlineMs
    const left = (): number => Math.max(0, deadline - performance.now())
    services.drain()
    await mesh?.leave(deadlineMs)
    services.endRealtime()
    listeners.retire()
    await served.drain(left())
    await services.runShutdownWork()
    if (events.tellAppToEnd()) return this.#untilAppEnds(left())
    await served.stop(left())
    await services.stop()
    exit(exitCodes.ok)
  }

  /** An app that only closes what it has opened ends by itself, as it does under node. */
  async #untilAppEnds(deadlineMs: number): Promise<void> {
    process.channel?.unref()
    void sleep(deadlineMs, undefined, { ref: false }).then(() => exit(exitCodes.ok))
    await this.served.closed
    await this.services.stop()
  }
}
