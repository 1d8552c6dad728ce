import { availableParallelism } from 'node:os'
import { QueueFullError, Semaphore } from '../../process/semaphore.js'
import type { Child } from './child.js'

/** Password hashes that wait for a core; one more is turned away, and the client told to come again. */
const WAIT_LIMIT = 64

/**
 * Hashing passwords is the one thing that keeps a core busy for long. As many at a time as there are cores, over all
 * the workers of the machine: more would not be faster, only everything else slower.
 */
export class HashPermits {
  readonly #semaphore = new Semaphore<string>(availableParallelism(), WAIT_LIMIT)
  readonly #ofChild = new Map<Child, Set<string>>()

  wanted(child: Child, ticket: number): void {
    const holder = `${child.id}:${ticket}`
    const tickets = this.#ofChild.get(child) ?? new Set()
    this.#ofChild.set(child, tickets.add(holder))
    try {
      this.#semaphore.acquire(holder, () => child.send({ type: 'hash-granted', ticket }))
    } catch (error) {
      if (!(error instanceof QueueFullError)) throw error
      tickets.delete(holder)
      child.send({ type: 'hash-refused', ticket })
    }
  }

  done(child: Child, ticket: number): void {
    const holder = `${child.id}:${ticket}`
    this.#ofChild.get(child)?.delete(holder)
    this.#semaphore.release(holder)
  }

  /** What a dead child held, or waited for, is given back. */
  childGone(child: Child): void {
    for (const holder of this.#ofChild.get(child) ?? []) this.#semaphore.release(holder)
    this.#ofChild.delete(child)
  }
}
