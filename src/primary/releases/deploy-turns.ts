import { ControlError } from '../../control/protocol.js'

/**
 * Whose turn it is to change the releases: one command at a time. A rollback goes ahead of the others: neither a slow
 * sender nor a release on trial is to keep an app broken.
 */
export class DeployTurns {
  #isTaken = false
  /** Ends the preparation of the release whose turn it is. */
  #preparation: AbortController | undefined
  #rollback: Promise<unknown> | undefined

  /** @param isChanging whether clients are about to get another release */
  constructor(private readonly isChanging: () => boolean) {}

  /** Whether a command that changes the releases is under way. */
  get areTaken(): boolean {
    return this.#isTaken || this.#rollback !== undefined || this.isChanging()
  }

  /** @throws {ControlError} `DEPLOY_UNDER_WAY` */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.areTaken) throw new ControlError('DEPLOY_UNDER_WAY')
    this.#isTaken = true
    try {
      return await work()
    } finally {
      this.#isTaken = false
    }
  }

  /**
   * Does what changes nothing yet, within a turn.
   * @param work is to end when its signal aborts
   * @throws {ControlError} `ROLLED_BACK`
   */
  async prepare<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const preparation = new AbortController()
    this.#preparation = preparation
    const prepared = work(preparation.signal)
    await Promise.allSettled([prepared])
    // Whether it may go on depends on what becomes of the rollback.
    while (this.#rollback !== undefined) await Promise.allSettled([this.#rollback])
    this.#preparation = undefined
    preparation.signal.throwIfAborted()
    return prepared
  }

  /**
   * Takes a turn, ahead of all but another one ahead.
   * @param rolledBack to be called when clients get another release: what is being prepared is given up
   * @throws {ControlError} `DEPLOY_UNDER_WAY`
   */
  async takeAhead<T>(work: (rolledBack: (to: string) => void) => Promise<T>): Promise<T> {
    if (this.#rollback !== undefined) throw new ControlError('DEPLOY_UNDER_WAY')
    const rollback = work(to => this.#preparation?.abort(rolledBackTo(to)))
    this.#rollback = rollback
    try {
      return await rollback
    } finally {
      this.#rollback = undefined
    }
  }
}

function rolledBackTo(release: string): ControlError {
  const what = `The app was rolled back to release ${release} during this deploy`
  return new ControlError('ROLLED_BACK', {
    message: `${what}, so its release is not made live, and nothing of it is kept. Deploy again if you want it.`,
  })
}
