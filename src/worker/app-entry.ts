import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import type { Config } from '../config/config.js'
import type { ServedBy } from '../ipc/messages.js'
import { AppError } from './app-error.js'
import { AppExports } from './app-exports.js'
import type { AppListeners } from './app-listeners.js'

/** An app that has something else to wait for may listen for this long after its evaluation. */
const LISTEN_MS = 10_000
/** After this time the log says what the worker waits for. */
const HINT_MS = 5_000
/** A module that is evaluated is imported at once. */
const IMPORT_MS = 2_000

export interface AppEntryOptions {
  /** The main module. */
  file: string
  entry: Config['appEntry']
  /** The part that serves in other workers with the same code. They have waited for nothing, so this one does not. */
  servedBefore: ServedBy | undefined
  /** The public port. */
  port: number
  listeners: AppListeners
  /** Modules come through hooks of the person's, so the main module may not have begun. */
  hooked: boolean
  /** The argument of a factory. */
  lend: () => Promise<object>
  /** Awaited before what was made of lent services is served. */
  lentReady: () => Promise<void>
  log: { warn(message: string): void }
}

/**
 * Finds the server of an app: its listener on PORT; else its first listener elsewhere; else its default export.
 * That is decided at once when the app has nothing else to wait for, or when that is known from other workers, else 10 s
 * after its evaluation, or as APP_ENTRY says.
 */
export class AppEntry {
  readonly #exports: AppExports
  #deciding: Promise<void> | undefined
  #exported: unknown
  #hint: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined
  #hasWaited = false
  /** Rejects when the app cannot come to be served. */
  readonly failed: Promise<never>
  #fail: (error: AppError) => void = () => undefined

  constructor(private readonly options: AppEntryOptions) {
    this.#exports = new AppExports(options.file)
    this.failed = new Promise((_resolve, reject) => (this.#fail = reject))
    this.failed.catch(() => undefined)
  }

  start(): void {
    const { entry, servedBefore, listeners } = this.options
    this.#hint = setTimeout(() => this.#sayWhatIsMissing(), HINT_MS).unref()
    if (entry === 'listen') return listeners.decide()
    // Its code may have changed unnoticed, so unlike with APP_ENTRY the rest goes on.
    if (entry === undefined && servedBefore === 'other-port') listeners.decide()
    void this.#evaluated().then(() => {
      if (this.#exportsFirst) void this.#decide()
      else this.#deadline = setTimeout(() => this.#endWait(), LISTEN_MS).unref()
    })
  }

  /** Whether it was decided only because the time was over. */
  get hasWaited(): boolean {
    return this.#hasWaited
  }

  /** The app is served. */
  stop(): void {
    clearTimeout(this.#hint)
    clearTimeout(this.#deadline)
  }

  /** Whether no listener on another port is looked for. */
  get #exportsFirst(): boolean {
    const { entry, servedBefore } = this.options
    return (entry ?? servedBefore) === 'export'
  }

  #endWait(): void {
    this.#hasWaited = true
    void this.#decide()
  }

  /** The app has nothing else to wait for. */
  async idle(): Promise<void> {
    const { listeners, file } = this.options
    await this.#decide()
    if (listeners.isPublished()) return
    const nothing = `app ended without a listener, and its default export is no app: ${this.#shown}`
    this.#fail(new AppError(file, listeners.obstacle ?? nothing))
  }

  /** @returns the first decision, to every caller */
  #decide(): Promise<void> {
    this.#deciding ??= this.#choose().catch((error: unknown) => {
      if (error instanceof AppError) this.#fail(error)
    })
    return this.#deciding
  }

  async #choose(): Promise<void> {
    const { listeners, entry, lend, lentReady } = this.options
    if (!this.#exportsFirst) listeners.decide()
    if (listeners.isPublished() || entry === 'listen') return
    // An export is used only when nothing listened. A unix path may be a side door of an app that takes its time.
    if (!this.#exportsFirst && listeners.obstacle !== undefined) return
    // It must not count as a timer of the app.
    const late = sleep(IMPORT_MS, undefined, { ref: false })
    this.#exported = await Promise.race([this.#exports.read(), late])
    if (listeners.isPublished()) return
    const server = await this.#exports.server(this.#exported, lend)
    await lentReady()
    if (server !== undefined) listeners.publish(server)
    listeners.decide()
  }

  /** An ES module that has begun is imported as it is evaluated. Behind hooks nobody can tell whether it has. */
  async #evaluated(): Promise<void> {
    if (AppExports.areLoaded || this.options.hooked) return
    // An error that it throws ends the process as under node.
    await this.#exports.read().catch(() => new Promise<never>(() => undefined))
  }

  get #shown(): string {
    return inspect(this.#exported, { depth: 0 })
  }

  #sayWhatIsMissing(): void {
    const { port, listeners, log } = this.options
    const { candidatePorts, obstacle } = listeners
    if (obstacle !== undefined) return log.warn(obstacle)
    const elsewhere = `it listens on port ${candidatePorts.join(', ')}, which APP_ENTRY=listen would serve at once`
    const reason = candidatePorts.length > 0 ? elsewhere : 'APP_ENTRY=export would serve its default export at once'
    log.warn(`app does not listen on PORT=${port} yet: ${reason}`)
  }
}
