import type { Report } from '../../ipc/messages.js'

type ReadyReport = Extract<Report, { type: 'ready' }>

/** As long as a worker waits for an app that does not listen, before it says so. */
const HINT_MS = 5_000

/** When a child is ready: once it listens, and once its app has said so where that is awaited (APP_READY=message). */
export class Readiness {
  /** The message that an app sends with `process.send`, as under PM2 with `wait_ready`. */
  static readonly WORD = 'ready'
  #awaitsWord = false
  /** The report of a child that listens, while the word of its app is still to come. */
  #unconfirmed: ReadyReport | undefined
  #hint: NodeJS.Timeout | undefined

  constructor(
    private readonly tell: (report: Report) => void,
    private readonly hintMs = HINT_MS,
  ) {}

  /** Called before the app runs. */
  awaitWord(): void {
    this.#awaitsWord = true
  }

  noteWord(): void {
    const report = this.#unconfirmed
    this.#awaitsWord = false
    this.#unconfirmed = undefined
    this.end()
    if (report !== undefined) this.tell(report)
  }

  noteReport(report: ReadyReport): void {
    if (!this.#awaitsWord) return this.tell(report)
    this.#unconfirmed = report
    this.#hint ??= setTimeout(() => {
      this.tell({ type: 'hint', message: `${OBSTACLE} yet: APP_READY=message waits for that` })
    }, this.hintMs)
  }

  /** The child has ended, or waits no more. */
  end(): void {
    clearTimeout(this.#hint)
  }

  /** @param reason why the child is killed @returns the same, and why a child that listens is not ready */
  explain(reason: string): string {
    return this.#unconfirmed === undefined ? reason : `${reason}: ${OBSTACLE}`
  }
}

const OBSTACLE = `app listens, but has not called process.send('${Readiness.WORD}')`
