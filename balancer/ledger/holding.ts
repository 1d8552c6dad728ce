import { keptOf, mayTake } from '../contract/dynamic-threshold.js'

/** Something that all clients share. */
export class SharedResource {
  /** The most that one client may hold at this moment, whatever its share. */
  mostOfOne = Infinity
  /** Several clients have asked for it. */
  isContended = false
  #held = 0

  /**
   * @param name as it is written in the log
   * @param capacity how much there is of it at this moment
   * @param onShareReached called for a client that gets no more because of its share
   * @param keepsSome a part of it is kept for clients that hold nothing of it
   */
  constructor(
    readonly name: string,
    private readonly capacity: () => number,
    readonly onShareReached: (client: string, resource: string) => void,
    private readonly keepsSome = false,
  ) {}

  get free(): number {
    return this.capacity() - this.#held
  }

  /** The part of the free amount that is only for clients that hold nothing. */
  get kept(): number {
    return this.keepsSome ? keptOf(this.capacity()) : 0
  }

  /** The sum of what all clients hold. */
  get held(): number {
    return this.#held
  }

  /** @param amount negative for what is given back */
  change(amount: number): void {
    this.#held += amount
  }
}

/** The part of a shared resource that one client holds. */
export class Holding {
  /** How much of it does not count against `mostOfOne`. Less than nothing if more counts than is held. */
  exempt = 0
  #held = 0
  #reached = false

  constructor(
    private readonly client: string,
    private readonly resource: SharedResource,
  ) {}

  get held(): number {
    return this.#held
  }

  /** It may have no more at this moment, whatever its share. */
  get isAtMost(): boolean {
    return this.#held - this.exempt >= this.resource.mostOfOne
  }

  get isContended(): boolean {
    return this.resource.isContended
  }

  /** There is a limit for one client at this moment. */
  get isLimited(): boolean {
    return this.resource.mostOfOne !== Infinity
  }

  /** Whether the client may take this much more: its share allows it, and it is not at the most of one client. */
  mayTake(amount = 1): boolean {
    if (this.isAtMost) return false
    const { free, kept } = this.resource
    if (mayTake(this.#held, amount, free, kept)) return true
    // When nothing is left, it is not the share that is too small.
    if (!this.#reached && this.#held > 0 && free > 0) {
      this.#reached = true
      this.resource.onShareReached(this.client, this.resource.name)
    }
    return false
  }

  /** Little is left: only clients that hold nothing get some. */
  get isScarce(): boolean {
    return this.resource.free <= this.resource.kept
  }

  /** Takes this much more if the share allows it. */
  take(amount = 1): boolean {
    if (!this.mayTake(amount)) return false
    this.add(amount)
    return true
  }

  /** Takes so much more, whatever the share. */
  add(amount = 1): void {
    this.#held += amount
    this.resource.change(amount)
  }

  release(amount = 1): void {
    this.#held -= amount
    this.resource.change(-amount)
  }
}
