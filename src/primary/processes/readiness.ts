import type { Report } from '../../ipc/messages.js'

type ReadyReport = Extract<Report, { type: 'ready' }>

/** When a child is ready: once it listens, and once its app has said so where that is awaited (APP_READY=message). */
export class Readiness {
  /** What an app sends with `process.send`, as under PM2 with `wait_ready`. */
  static readonly WORD = 'ready'
  #awaitsWord = false
  /** The report of a child that listens, while the word of its app is still to come. */
  #unconfirmed: ReadyReport | undefined

  constructor(private readonly tell: (report: ReadyReport) => void) {}

  /** Called before the app runs. */
  awaitWord(): void {
    this.#awaitsWord = true
  }

  noteWord(): void {
    const report = this.#unconfirmed
    this.#awaitsWord = false
    this.#unconfirmed = undefined
    if (report !== undefined) this.tell(report)
  }

  noteReport(report: ReadyReport): void {
    if (this.#awaitsWord) this.#unconfirmed = report
    else this.tell(report)
  }

  /** Why a child that listens is not ready. */
  get obstacle(): string | undefined {
    if (this.#unconfirmed === undefined) return undefined
    return `app listens, but has not called process.send('${Readiness.WORD}')`
  }
}
