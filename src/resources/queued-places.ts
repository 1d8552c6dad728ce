/** Thrown when the queue is full. */
export class QueueFullError extends Error {
  constructor(limit: number) {
    super(`the queue is full: ${limit} callers are waiting`)
    this.name = 'QueueFullError'
  }
}

interface Waiter {
  readonly holder: string
  readonly granted: () => void
}

/** Admits a number of holders at once. A bounded number of others wait, and are admitted in the order of arrival. */
export abstract class QueuedPlaces {
  #held = 0
  readonly #heldBy = new Map<string, number>()
  readonly #waiting = new Set<Waiter>()
  readonly #waitingOf = new Map<string, number>()

  constructor(
    private places: number,
    private waitLimit: number,
  ) {}

  /** Whether a holder of `own` places, here or in the queue, may have one more while `free` are free. */
  protected abstract allows(own: number, free: number): boolean

  protected async take(holder: string, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#mayHold(holder)) this.#hold(holder)
    else await this.#turn(holder, signal)
    let left = false
    return () => {
      if (!left) this.#leave(holder)
      left = true
    }
  }

  /** Changes the bounds. Holders and callers that wait stay, even if there are too many of them now. */
  resize(places: number, waitLimit: number): void {
    this.places = places
    this.waitLimit = waitLimit
    this.#admit()
  }

  #mayHold(holder: string): boolean {
    return this.allows(this.#heldBy.get(holder) ?? 0, this.places - this.#held)
  }

  #hold(holder: string): void {
    this.#held += 1
    add(this.#heldBy, holder, 1)
  }

  #turn(holder: string, signal: AbortSignal | undefined): Promise<void> {
    const own = this.#waitingOf.get(holder) ?? 0
    if (!this.allows(own, this.waitLimit - this.#waiting.size)) throw new QueueFullError(this.waitLimit)
    return new Promise((resolve, reject) => {
      const granted = (): void => {
        signal?.removeEventListener('abort', givenUp)
        resolve()
      }
      const waiter = { holder, granted }
      const givenUp = (): void => {
        this.#forget(waiter)
        reject(signal?.reason as Error)
      }
      this.#waiting.add(waiter)
      add(this.#waitingOf, holder, 1)
      signal?.addEventListener('abort', givenUp)
    })
  }

  #leave(holder: string): void {
    this.#held -= 1
    add(this.#heldBy, holder, -1)
    this.#admit()
  }

  /** A place passes directly to a waiter, so a newcomer cannot take it. */
  #admit(): void {
    for (const waiter of this.#waiting) {
      if (this.#held >= this.places) return
      if (!this.#mayHold(waiter.holder)) continue
      this.#hold(waiter.holder)
      this.#forget(waiter)
      waiter.granted()
    }
  }

  #forget(waiter: Waiter): void {
    this.#waiting.delete(waiter)
    add(this.#waitingOf, waiter.holder, -1)
  }
}

function add(counts: Map<string, number>, holder: string, change: number): void {
  const count = (counts.get(holder) ?? 0) + change
  if (count === 0) counts.delete(holder)
  else counts.set(holder, count)
}
