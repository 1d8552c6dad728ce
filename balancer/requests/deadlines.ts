import { LinkedList, type Entry } from '../contract/linked-list.js'

/** An item that can be under one deadline at a time. */
export interface HasDeadline {
  /** Set and read by `Deadlines` alone. */
  deadline?: Entry | undefined
}

interface Deadline<T> {
  item: T
  expiresAt: number
}

/**
 * Many deadlines of one fixed length behind a single timer. Items expire in the order they came, so only the oldest is
 * looked at. Adding and removing an item is cheaper than a timer for each.
 */
export class Deadlines<T extends HasDeadline> {
  readonly #pending = new LinkedList<Deadline<T>>()
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly durationMs: number,
    private readonly onExpire: (item: T) => void,
  ) {}

  get size(): number {
    return this.#pending.size
  }

  /** Puts `item` under a deadline, or restarts the one that it is under here. */
  add(item: T): void {
    this.#pending.remove(item.deadline)
    item.deadline = this.#pending.add({ item, expiresAt: performance.now() + this.durationMs })
    this.#timer ??= this.#arm(this.durationMs)
  }

  /** Returns false if the item is under no deadline here. */
  delete(item: T): boolean {
    return this.#pending.remove(item.deadline)
  }

  /** The items, oldest first. */
  items(): T[] {
    return this.#pending.items().map(({ item }) => item)
  }

  /** Expires what is due, without waiting for the timer: a busy event loop delays timers. */
  expire(): void {
    const now = performance.now()
    for (;;) {
      const { first } = this.#pending
      if (first === undefined || first.expiresAt > now) return
      this.#pending.shift()
      this.onExpire(first.item)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#pending.clear()
  }

  #arm(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#sweep(), delayMs).unref()
  }

  /** Keeps the old timer until the end, so that an item that is added meanwhile does not start another. */
  #sweep(): void {
    this.expire()
    const { first } = this.#pending
    this.#timer = first === undefined ? undefined : this.#arm(Math.max(1, first.expiresAt - performance.now()))
  }
}
