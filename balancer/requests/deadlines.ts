import { LinkedList, type Entry } from '../linked-list.js'

/** What can wait, in one place at a time. */
export interface Waiting {
  /** For `Deadlines` alone. */
  wait?: Entry | undefined
}

interface Wait<T> {
  item: T
  expiresAt: number
}

/**
 * Many waits of one fixed length behind a single timer: items expire in the order they came, so only the oldest
 * is ever looked at. Adding and removing cost a list entry each, where a timer per request would cost a timer.
 */
export class Deadlines<T extends Waiting> {
  readonly #waits = new LinkedList<Wait<T>>()
  #timer: NodeJS.Timeout | undefined

  constructor(
    readonly durationMs: number,
    private readonly onExpire: (item: T) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get size(): number {
    return this.#waits.size
  }

  /** Starts the wait of `item`, or starts it afresh. */
  add(item: T): void {
    this.#waits.remove(item.wait)
    item.wait = this.#waits.add({ item, expiresAt: this.now() + this.durationMs })
    this.#timer ??= this.#arm(this.durationMs)
  }

  /** Returns false when it does not wait here. */
  delete(item: T): boolean {
    return this.#waits.remove(item.wait)
  }

  /** The waiting items, oldest first. */
  items(): T[] {
    return this.#waits.items().map(({ item }) => item)
  }

  /** Ends the waits that are over, without waiting for the timer: a busy event loop is late for those. */
  expire(): void {
    const now = this.now()
    for (;;) {
      const { first } = this.#waits
      if (first === undefined || first.expiresAt > now) return
      this.#waits.shift()
      this.onExpire(first.item)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waits.clear()
  }

  #arm(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#sweep(), delayMs).unref()
  }

  /** The old timer stands until the end, so that an item that is added meanwhile does not set up one of its own. */
  #sweep(): void {
    this.expire()
    const { first } = this.#waits
    this.#timer = first === undefined ? undefined : this.#arm(first.expiresAt - this.now())
  }
}
