import type { Logger } from '../process/log.js'

/** The work that an app has registered for the end of its worker. */
export class ShutdownWork {
  readonly #work: Array<() => unknown> = []

  constructor(private readonly log: Logger) {}

  add(work: () => unknown): void {
    this.#work.push(work)
  }

  /** Runs what has not run yet, last registered first. */
  async run(): Promise<void> {
    for (const work of this.#work.splice(0).reverse()) {
      try {
        await work()
      } catch (error) {
        this.log.error({ err: error }, 'onShutdown function failed')
      }
    }
  }
}
