/**
 * Many waits of one fixed length behind a single timer: items expire in the order they came, so only the oldest
 * is ever looked at. Adding and removing cost a map entry each, where a timer per request would cost a timer.
 */
export class Deadlines<T> {
  readonly #expiresAt = new Map<T, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(
    readonly durationMs: number,
    private readonly onExpire: (item: T) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get size(): number {
    return this.#expiresAt.size
  }

  /** Starts the wait of `item`, or starts it afresh. */
  add(item: T): void {
    this.#expiresAt.delete(item)
    this.#expiresAt.set(item, this.now() + this.durationMs)
    this.#timer ??= this.#arm(this.durationMs)
  }

  delete(item: T): boolean {
    return this.#expiresAt.delete(item)
  }

  /** The waiting items, oldest first. */
  items(): IterableIterator<T> {
    return this.#expiresAt.keys()
  }

  /** Ends the waits that are over, without waiting for the timer: a busy event loop is late for those. */
  expire(): void {
    const now = this.now()
    for (const [item, expiresAt] of this.#expiresAt) {
      if (expiresAt > now) break
      this.#expiresAt.delete(item)
      this.onExpire(item)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#expiresAt.clear()
  }

  #arm(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#sweep(), delayMs).unref()
  }

  /** The old timer stands until the end, so that an item that is added meanwhile does not set up one of its own. */
  #sweep(): void {
    this.expire()
    const [next] = this.#expiresAt.values()
    this.#timer = next === undefined ? undefined : this.#arm(next - this.now())
  }
}
