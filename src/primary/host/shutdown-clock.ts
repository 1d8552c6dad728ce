/** The longest time that is reserved for killing processes. It is a third of a short shutdown. */
const MAX_RESERVE_MS = 2_000

/**
 * Divides the time of a shutdown, which ends within SHUTDOWN_TIMEOUT_MS. Requests in flight get most of it. The rest is
 * for the balancers, the workers and the services, in this order. Each of them may have to be killed.
 */
export class ShutdownClock {
  #timeoutMs: number
  #endsAt: number | undefined
  #settling: { settleMs?: number } = {}

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  get #graceMs(): number {
    return Math.min(MAX_RESERVE_MS, this.#timeoutMs / 3) / 4
  }

  /** @returns when requests in flight are cut, in the clock of `performance.now()`, and how long each end may take */
  begin(): { cutAt: number; graceMs: number; settleMs?: number } {
    this.#endsAt ??= performance.now() + this.#timeoutMs
    return { cutAt: this.#endsAt - 4 * this.#graceMs, graceMs: this.#graceMs, ...this.#settling }
  }

  /**
   * Begins the time anew. Stops until now count for nothing.
   * @param settleMs how long connections without a request stay open, because one may be on its way
   * @param timeoutMs how long the rest may take; undefined for SHUTDOWN_TIMEOUT_MS
   */
  restart(settleMs: number, timeoutMs = this.#timeoutMs): void {
    this.#endsAt = undefined
    this.#timeoutMs = timeoutMs
    this.#settling = { settleMs }
  }

  /** The time for a service that is stopped now, in milliseconds: the time left, up to what the service asks for. */
  patience(wantedMs: number): number {
    const left = this.#endsAt === undefined ? Infinity : this.#endsAt - performance.now() - EXIT_MS
    return Math.max(0, Math.min(wantedMs, Math.max(left, this.#graceMs / 2)))
  }
}

/** Time for the work after the last service. */
const EXIT_MS = 100
