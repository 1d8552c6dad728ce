import { TokenBucket, type BucketOptions } from './token-bucket.js'

/** The budget of all connections of one client together. */
const PACKETS: BucketOptions = { burst: 2_000, perSecond: 500 }
const MESSAGES: BucketOptions = { burst: 400, perSecond: 100 }
/** How many clients of this worker may get the messages of one speaker. Each delivery takes about 20 microseconds. */
const DELIVERIES: BucketOptions = { burst: 20_000, perSecond: 10_000 }

/** Silent speakers are removed when there are twice as many speakers as after the last removal. */
const FEWEST_TO_SWEEP = 1_000

interface Budgets {
  packets: TokenBucket
  messages: TokenBucket
  deliveries: TokenBucket
}

/**
 * The budgets of the speakers of the chat. A speaker is a user who is signed in, or everybody else at one address.
 * Budgets outlive connections, because a new connection must not come with new budgets.
 */
export class Speakers {
  readonly #budgets = new Map<string, Budgets>()
  #sweepAt = FEWEST_TO_SWEEP

  mayPacket(speaker: string, now: number): boolean {
    return this.#of(speaker, now).packets.take(now)
  }

  /** @param clients how many will get the message here */
  maySay(speaker: string, clients: number, now: number): boolean {
    const { messages, deliveries } = this.#of(speaker, now)
    return messages.take(now) && deliveries.take(now, clients)
  }

  get size(): number {
    return this.#budgets.size
  }

  #of(speaker: string, now: number): Budgets {
    const known = this.#budgets.get(speaker)
    if (known !== undefined) return known
    if (this.#budgets.size >= this.#sweepAt) this.#sweep(now)
    const budgets = {
      packets: new TokenBucket(PACKETS, now),
      messages: new TokenBucket(MESSAGES, now),
      deliveries: new TokenBucket(DELIVERIES, now),
    }
    this.#budgets.set(speaker, budgets)
    return budgets
  }

  #sweep(now: number): void {
    for (const [speaker, budgets] of this.#budgets) {
      if (Object.values(budgets).every((bucket: TokenBucket) => bucket.isFull(now))) this.#budgets.delete(speaker)
    }
    this.#sweepAt = Math.max(FEWEST_TO_SWEEP, 2 * this.#budgets.size)
  }
}
