import fs from 'node:fs'
import { dirname } from 'node:path'
import * as z from 'zod'
import { AddressRanges } from '#balancer/contract/address-ranges.js'
import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import { ControlError, type Maintenance, type MaintenanceWanted } from '../../control/protocol.js'
import type { Logger } from '../../process/log.js'
import { syncFolder, writeSynced } from '../../process/synced-file.js'
import { carriedOut, type EdgeRunner } from './edge-runner.js'
import { maintenancePage } from './maintenance-page.js'

const stateSchema = z.object({
  /** In milliseconds since 1970. */
  since: z.number(),
  /** HTML. */
  page: z.string(),
  retryAfterS: z.number(),
  /** Addresses and ranges of clients that reach the app. */
  allowed: z.array(z.string()),
})

type State = z.infer<typeof stateSchema>

/** Whether clients get a page in place of the app. It is kept in a file, so it survives a restart of the program. */
export class MaintenanceMode {
  #state: State | undefined

  private constructor(
    private readonly path: string,
    private readonly runner: EdgeRunner,
    private readonly log: Logger,
  ) {}

  /** @throws {Error} names the file, if it cannot be read */
  static open(path: string, runner: EdgeRunner, log: Logger): MaintenanceMode {
    const mode = new MaintenanceMode(path, runner, log)
    mode.#read()
    return mode
  }

  get order(): EdgeOrder {
    if (this.#state === undefined) return {}
    const { page, retryAfterS, allowed } = this.#state
    return { maintenance: { page, retryAfterS, allowed } }
  }

  /** Undefined while it is off. */
  get facts(): Maintenance | undefined {
    if (this.#state === undefined) return undefined
    const { since, retryAfterS, allowed } = this.#state
    return { since: new Date(since).toISOString(), retryAfter: retryAfterS, allow: allowed }
  }

  /**
   * Resolves when every process that balances goes by it.
   * @throws {ControlError} `INVALID_BODY`: an address or range is invalid
   */
  async set({ on, page = maintenancePage, retryAfter: retryAfterS, allow: allowed }: MaintenanceWanted): Promise<void> {
    if (on) this.#begin({ since: this.#state?.since ?? Date.now(), page, retryAfterS, allowed })
    else this.#end()
    await carriedOut(this.runner)
  }

  /** Somebody may have written into the file. An invalid address would fail in every process that balances. */
  #checkAllowed(state: State): void {
    try {
      new AddressRanges(state.allowed)
    } catch (error) {
      this.log.warn(`maintenance lets no client through: ${this.path}: allowed: ${(error as Error).message}`)
      this.#state = { ...state, allowed: [] }
    }
  }

  #begin(state: State): void {
    try {
      new AddressRanges(state.allowed)
    } catch (cause) {
      throw new ControlError('INVALID_BODY', { message: `allow: ${(cause as Error).message}`, cause })
    }
    writeSynced(this.path, JSON.stringify(state))
    this.#state = state
    const { retryAfterS, allowed } = state
    this.log.warn({ retryAfterS, allowed }, 'maintenance begins: clients get 503 and a page')
  }

  #end(): void {
    if (this.#state === undefined) return
    fs.rmSync(this.path, { force: true })
    syncFolder(dirname(this.path))
    const minutes = Math.round((Date.now() - this.#state.since) / 60_000)
    this.#state = undefined
    this.log.info(`maintenance ends: clients get the app again after ${minutes} min`)
  }

  #read(): void {
    try {
      this.#state = stateSchema.parse(JSON.parse(fs.readFileSync(this.path, 'utf8')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw new Error(`${this.path} cannot be read: ${(error as Error).message}`, { cause: error })
    }
    this.#checkAllowed(this.#state)
    const since = new Date(this.#state.since).toISOString()
    this.log.warn({ since }, 'maintenance goes on: clients get 503 and a page until outpost maintenance off')
  }
}
