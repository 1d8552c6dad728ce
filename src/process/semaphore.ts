/** Thrown when as many wait already as may. */
export class QueueFullError extends Error {
  constructor(limit: number) {
    super(`${limit} wait already`)
    this.name = 'QueueFullError'
  }
}

/** Lets a number of holders in at once, and a bounded number of others wait for them, first in first out. */
export class Semaphore<Holder> {
  readonly #holders = new Set<Holder>()
  readonly #waiting = new Map<Holder, () => void>()

  constructor(
    private readonly permits: number,
    private readonly waitLimit: number,
  ) {}

  get held(): number {
    return this.#holders.size
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Calls `granted` now or when a permit is free.
   * @throws {QueueFullError} at once when too many wait
   */
  acquire(holder: Holder, granted: () => void): void {
    if (this.#holders.size < this.permits) {
      this.#holders.add(holder)
      granted()
    } else if (this.#waiting.size >= this.waitLimit) throw new QueueFullError(this.waitLimit)
    else this.#waiting.set(holder, granted)
  }

  /** Gives back a permit, or a place in the queue. Does nothing for a holder of neither. */
  release(holder: Holder): void {
    this.#waiting.delete(holder)
    if (!this.#holders.delete(holder)) return
    for (const [next, granted] of this.#waiting) {
      this.#waiting.delete(next)
      this.#holders.add(next)
      granted()
      return
    }
  }
}
