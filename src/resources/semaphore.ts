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
    private readonly permits: number,
    private readonly waitLimit: number,
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
    const [next] = this.#waiting
    if (next === undefined) this.#held -= 1
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}
