/** A part that is started and has to be stopped. */
export interface Service {
  /** A part without it has nothing to start. */
  start?(): Promise<void>
  /** Idempotent: every caller awaits the same end. Resolves within a deadline of its own. */
  stop(): Promise<void>
}

/** Starts services in order and stops them in reverse. If one does not start, those before it are stopped. */
export class ServiceStack implements Service {
  readonly #started: Service[] = []
  #stopped: Promise<void> | undefined

  constructor(private readonly services: readonly Service[]) {}

  async start(): Promise<void> {
    for (const service of this.services) {
      this.#started.push(service)
      try {
        await service.start?.()
      } catch (error) {
        await this.stop()
        throw error
      }
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    for (const service of this.#started.reverse()) await service.stop()
  }
}

/** Services that are started, and stopped, at the same time. */
export function together(...services: readonly Service[]): Service {
  return {
    start: async () => {
      await Promise.all(services.map(async service => service.start?.()))
    },
    stop: async () => {
      await Promise.all(services.map(service => service.stop()))
    },
  }
}
