import type { ChildProcess } from 'node:child_process'

/** After this many spares have ended unasked, none is started until workers run: the cause would end others, too. */
const MAX_LOST = 3

/**
 * A worker process that Node has started and that has run nothing of the app yet. It costs no CPU time, and saves the
 * time of its start to a worker that is wanted at once.
 */
export class Spare {
  #ready: { process: ChildProcess; key: string } | undefined
  #lost = 0

  get isReady(): boolean {
    return this.#ready !== undefined
  }

  /**
   * Starts one, if there is none.
   * @param key of what it will run: nothing else may use it
   */
  prepare(key: string, fork: () => ChildProcess): void {
    if (this.#ready !== undefined && this.#ready.key !== key) this.drop()
    if (this.#ready !== undefined || this.#lost >= MAX_LOST) return
    const process = fork()
    this.#ready = { process, key }
    const ended = (): void => {
      if (this.#ready?.process !== process) return
      this.#ready = undefined
      this.#lost += 1
    }
    process.once('exit', ended).once('error', ended)
  }

  /** The spare, if it was made for this start. It has to be told to continue. */
  take(key: string): ChildProcess | undefined {
    if (this.#ready?.key !== key) return undefined
    const { process } = this.#ready
    this.#ready = undefined
    this.#lost = 0
    return process
  }

  drop(): void {
    const process = this.#ready?.process
    this.#ready = undefined
    this.#lost = 0
    process?.kill('SIGKILL')
  }
}
