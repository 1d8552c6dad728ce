import { setTimeout as sleep } from 'node:timers/promises'
import { RunningCommand, type CommandLaunch } from '../beside/running-command.js'
import type { Claim, RunLease } from './run-lease.js'

/** The time that a run may take to end, once it has to. */
const END_MS = 10_000
/** The number of tries to find out whether another instance runs the job, and the pause between them. */
const [TRIES, TRY_EACH_MS] = [10, 2_000]

/** How a run ended. */
export interface RunResult {
  /** An exit code, the name of a signal, or the reason why it never ran. */
  readonly ending: string
  /** Why it was ended, if it was. */
  readonly cut?: string
  /** It ended by itself with exit code 0. */
  readonly succeeded: boolean
  readonly lastLines: readonly string[]
}

export interface CronRunOptions {
  name: string
  launch: () => CommandLaunch
  timeoutMs: number
  lifeline: string
  lease: RunLease
  print(line: string): void
}

/** One run of a job, from its time to its end. */
export class CronRun {
  readonly startedAt = Date.now()
  readonly #begun = performance.now()
  readonly #giveUp = new AbortController()
  #command: RunningCommand | undefined
  #cut: string | undefined
  #kill: NodeJS.Timeout | undefined

  constructor(private readonly options: CronRunOptions) {}

  /** Undefined before the command runs. */
  get pid(): number | undefined {
    return this.#command?.pid
  }

  get ranMs(): number {
    return performance.now() - this.#begun
  }

  /**
   * @param dueAt the time that it is run for, in milliseconds since 1970
   * @returns undefined: another instance does
   */
  async result(job: string, dueAt: number): Promise<RunResult | undefined> {
    let claim: Claim | undefined
    try {
      claim = await this.#claim(job, dueAt)
      return claim && (await this.#run(claim))
    } catch (error) {
      return { ending: `not run: ${this.#cut ?? (error as Error).message}`, succeeded: false, lastLines: [] }
    } finally {
      await claim?.giveBack()
    }
  }

  /** @param why one or two words @param deadlineMs after which it is killed */
  end(why: string, deadlineMs = END_MS): void {
    this.#cut ??= why
    this.#giveUp.abort(new Error(why))
    const command = this.#command
    if (command === undefined) return
    command.stop(deadlineMs)
    clearTimeout(this.#kill)
    this.#kill = setTimeout(() => command.kill(), deadlineMs)
  }

  async #claim(job: string, dueAt: number): Promise<Claim | undefined> {
    const { signal } = this.#giveUp
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.options.lease.take(job, dueAt)
      } catch (error) {
        if (tried === TRIES) throw error
        await sleep(TRY_EACH_MS, undefined, { signal })
      }
    }
  }

  async #run({ lost }: Claim): Promise<RunResult> {
    const { name, timeoutMs, lifeline } = this.options
    this.#giveUp.signal.throwIfAborted()
    const onLost = (): void => this.end('another instance may run it')
    const deadline = setTimeout(() => this.end('took too long'), timeoutMs)
    lost?.addEventListener('abort', onLost)
    try {
      // It may have been lost while the time was claimed.
      if (lost?.aborted === true) throw new Error('another instance may run it')
      return await new Promise<RunResult>(resolve => {
        const command = new RunningCommand(name, this.options.launch(), lifeline, {
          printed: line => this.options.print(line),
          ended: () => {
            const { ending, succeeded, lastLines } = command
            if (this.#cut === undefined) resolve({ ending, succeeded, lastLines })
            else resolve({ ending, succeeded: false, lastLines, cut: this.#cut })
          },
        })
        this.#command = command
      })
    } finally {
      clearTimeout(deadline)
      clearTimeout(this.#kill)
      lost?.removeEventListener('abort', onLost)
    }
  }
}
