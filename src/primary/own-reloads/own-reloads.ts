import type { Logger } from '../../process/log.js'

/** Reloads by the clock and by changes of files. Any number of requests during a reload is followed by one more reload. */
export class OwnReloads {
  #next: string | undefined
  #underWay = false

  /** @param reload resolves when all workers are replaced; its failures are in the log */
  constructor(
    private readonly reload: () => Promise<unknown>,
    private readonly log: Logger,
  ) {}

  get areUnderWay(): boolean {
    return this.#underWay
  }

  /** @param why what has changed, or which time has come */
  ask(why: string): void {
    this.#next = why
    if (!this.#underWay) void this.#run()
  }

  async #run(): Promise<void> {
    this.#underWay = true
    for (let why = this.#take(); why !== undefined; why = this.#take()) {
      this.log.info(`app is reloaded: ${why}`)
      try {
        await this.reload()
      } catch (error) {
        this.log.warn(`app was not reloaded: ${(error as Error).message}`)
      }
    }
    this.#underWay = false
  }

  #take(): string | undefined {
    const next = this.#next
    this.#next = undefined
    return next
  }
}
