/** Anything that is started and has to be stopped. */
export interface Service {
  start(): Promise<void>
  /** Idempotent, and over within its own deadline: every caller awaits the same end. */
  stop(): Promise<void>
}

/** Services started in order and stopped in reverse. When one does not start, those before it are stopped again. */
export class ServiceStack implements Service {
  readonly #started: Service[] = []
  #stopped: Promise<void> | undefined

  constructor(private readonly services: readonly Service[]) {}

  async start(): Promise<void> {
    for (const service of this.services) {
      this.#started.push(service)
      try {
        await service.start()
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
