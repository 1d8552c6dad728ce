/** A third of the time is for ends that are not waited for, but no more than this. */
const MAX_RESERVE_MS = 2_000

/**
 * Shares out the time of a shutdown, so that all of it is over within SHUTDOWN_TIMEOUT_MS: requests in flight have most
 * of it; then come the end of the balancers, of the workers and of the services, each of which may have to be killed.
 */
export class ShutdownClock {
  readonly #graceMs: number
  #endsAt: number | undefined

  constructor(private readonly timeoutMs: number) {
    this.#graceMs = Math.min(MAX_RESERVE_MS, timeoutMs / 3) / 4
  }

  /** @returns when requests in flight are cut, in the clock of `performance.now()`, and how long each end may take */
  begin(): { cutAt: number; graceMs: number } {
    this.#endsAt ??= performance.now() + this.timeoutMs
    return { cutAt: this.#endsAt - 4 * this.#graceMs, graceMs: this.#graceMs }
  }

  /** How long a service may take that is stopped now, in milliseconds: what is left, but not longer than it asks for. */
  patience(wantedMs: number): number {
    const left = this.#endsAt === undefined ? Infinity : this.#endsAt - performance.now() - EXIT_MS
    return Math.max(0, Math.min(wantedMs, Math.max(left, this.#graceMs / 2)))
  }
}

/** For what comes after the last service. */
const EXIT_MS = 100
