/** At most this many are told apart. */
const MOST = 8
const RECENT_MS = 60_000

/** The clients that have asked last. */
export class RecentClients {
  /** When each asked last, in this order. */
  readonly #askedAt = new Map<string, number>()

  asked(client: string, now: number): void {
    this.#askedAt.delete(client)
    this.#askedAt.set(client, now)
    if (this.#askedAt.size <= MOST) return
    for (const oldest of this.#askedAt.keys()) {
      this.#askedAt.delete(oldest)
      return
    }
  }

  /** How many have asked within a minute; eight stands for any more. */
  count(now: number): number {
    return [...this.#askedAt.values()].filter(at => now - at < RECENT_MS).length
  }
}
