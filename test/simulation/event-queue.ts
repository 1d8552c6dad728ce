interface Event {
  at: number
  happen(): void
}

/** Things that will happen, in the order of their times. */
export class EventQueue {
  #events: Event[] = []

  /** Infinity when nothing will happen. */
  get nextAt(): number {
    return this.#events[0]?.at ?? Infinity
  }

  add(at: number, happen: () => void): void {
    const place = this.#events.findLastIndex(event => event.at <= at) + 1
    this.#events.splice(place, 0, { at, happen })
  }

  happenUntil(now: number): void {
    while (this.nextAt <= now) this.#events.shift()?.happen()
  }

  /** All of it happens this much later. */
  delay(ms: number): void {
    for (const event of this.#events) event.at += ms
  }
}
