/** Thrown when the queue is full. */
export class QueueFullError extends Error {
  constructor(limit: number) {
    super(`the queue is full: ${limit} callers are waiting`)
    this.name = 'QueueFullError'
  }
}

/** Admits a number of holders at once. A bounded number of others wait, first in first out. */
export class Semaphore {
  #held = 0
  readonly #waiting = new Set<() => void>()

  constructor(
    private permits: number,
    private waitLimit: number,
  ) {}

  /**
   * Resolves when a permit is free, with a function that gives it back.
   * @param signal gives up the place in the queue; its reason is thrown
   * @throws {QueueFullError} at once when the queue is full
   */
  async enter(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#held < this.permits) this.#held += 1
    else await this.#turn(signal)
    let left = false
    return () => {
      if (!left) this.#leave()
      left = true
    }
  }

  /** Changes the bounds. Holders and callers that wait stay, even if there are too many of them now. */
  resize(permits: number, waitLimit: number): void {
    this.permits = permits
    this.waitLimit = waitLimit
    while (this.#held < permits && this.#waiting.size > 0) {
      this.#held += 1
      this.#admitNext()
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.size >= this.waitLimit) throw new QueueFullError(this.waitLimit)
    return new Promise((resolve, reject) => {
      const granted = (): void => {
        signal?.removeEventListener('abort', givenUp)
        resolve()
      }
      const givenUp = (): void => {
        this.#waiting.delete(granted)
        reject(signal?.reason as Error)
      }
      this.#waiting.add(granted)
      signal?.addEventListener('abort', givenUp)
    })
  }

  /** The permit passes directly to the first in the queue, so a newcomer cannot take it. */
  #leave(): void {
    if (this.#held > this.permits || !this.#admitNext()) this.#held -= 1
  }

  /** @returns false if nobody waits */
  #admitNext(): boolean {
    const [next] = this.#waiting
    if (next === undefined) return false
    this.#waiting.delete(next)
    next()
    return true
  }
}
