interface Pinged {
  ping(answered: () => void): boolean
}

export interface Delay {
  readonly ms: number
  /** How many requests of one client were there meanwhile. */
  readonly beside: number
}

/** An event loop that takes longer is taken to hang, which says nothing about how much work there is. */
const HANGS_MS = 3_000

/** The longest delay, but for targets that hang. If all hang, the shortest. */
export function delayOf(delays: readonly Delay[]): Delay | undefined {
  const [shortest, ...others] = [...delays].sort((a, b) => a.ms - b.ms)
  return others.findLast(({ ms }) => ms < HANGS_MS) ?? shortest
}

/** How long the event loop of one target takes to come to what is sent to it. */
export class TargetDelay {
  #sentAt: number | undefined
  #sentBeside = 0
  #last: Delay | undefined

  constructor(
    private readonly target: Pinged,
    private readonly clock = (): number => performance.now(),
  ) {}

  /** The last delay, or that of what is on its way if it is longer already. Workers of older versions never answer. */
  get current(): Delay | undefined {
    if (this.#last === undefined || this.#sentAt === undefined) return this.#last
    const ms = this.clock() - this.#sentAt
    return ms > this.#last.ms ? { ms, beside: this.#sentBeside } : this.#last
  }

  /** An answer is on its way. */
  get isAsked(): boolean {
    return this.#sentAt !== undefined
  }

  /** Asks the target again if it has answered. @param beside to be remembered with the answer */
  measure(beside: number): void {
    if (this.#sentAt !== undefined) return
    this.#sentAt = this.clock()
    this.#sentBeside = beside
    if (!this.target.ping(() => this.#answered())) this.#sentAt = undefined
  }

  #answered(): void {
    if (this.#sentAt === undefined) return
    this.#last = { ms: this.clock() - this.#sentAt, beside: this.#sentBeside }
    this.#sentAt = undefined
  }
}
