import { QueueFullError } from './semaphore.js'

interface Waiter {
  holder: string
  granted: () => void
}

/**
 * Admits a number of holders at once, of whom none may take all places: one may hold at most as many as are left free
 * (the dynamic threshold of Choudhury and Hahne). Alone it gets half, and n of them leave 1/(n+1). The same holds for
 * the places in the queue. Waiters are admitted in the order of arrival, but passed over while they hold their share.
 */
export class SharedPlaces {
  #held = 0
  readonly #heldBy = new Map<string, number>()
  readonly #waiting = new Set<Waiter>()
  readonly #waitingOf = new Map<string, number>()

  constructor(
    private readonly places: number,
    private readonly waitLimit: number,
  ) {}

  /**
   * Resolves when there is a place, with a function that gives it back.
   * @param signal gives up the place in the queue; its reason is thrown
   * @throws {QueueFullError} at once when the queue is full, or the holder's share of it
   */
  async enter(holder: string, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#mayHold(holder)) this.#take(holder)
    else await this.#turn(holder, signal)
    let left = false
    return () => {
      if (!left) this.#leave(holder)
      left = true
    }
  }

  #mayHold(holder: string): boolean {
    return (this.#heldBy.get(holder) ?? 0) < this.places - this.#held
  }

  #take(holder: string): void {
    this.#held += 1
    add(this.#heldBy, holder, 1)
  }

  #turn(holder: string, signal: AbortSignal | undefined): Promise<void> {
    const free = this.waitLimit - this.#waiting.size
    if ((this.#waitingOf.get(holder) ?? 0) >= free) throw new QueueFullError(this.waitLimit)
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        holder,
        granted: () => {
          signal?.removeEventListener('abort', givenUp)
          resolve()
        },
      }
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
    for (const waiter of this.#waiting) {
      if (this.#held === this.places) return
      if (!this.#mayHold(waiter.holder)) continue
      this.#take(waiter.holder)
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
