/** What to do about a place whose process has ended. Times in milliseconds. */
export type RestartDecision =
  | { kind: 'now' }
  /** A back-off: it did not live long enough to have been of use. */
  | { kind: 'after'; delayMs: number }
  /** A crash loop: given up for a while. */
  | { kind: 'park'; delayMs: number }

export interface RestartOptions {
  /** Having served this long, an exit is no sign of a loop. */
  provenMs: number
  firstDelayMs: number
  maxDelayMs: number
  /** So many early exits within the window, and at least two for each place that has had any, park the place. */
  parkAfter: number
  windowMs: number
  parkMs: number
}

export const defaultRestartOptions: RestartOptions = {
  provenMs: 1_000,
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  parkAfter: 10,
  windowMs: 60_000,
  parkMs: 60_000,
}

/** Decides when a place of one role is filled again: one policy for all of them, since they run the same code. */
export class RestartPolicy<Place> {
  readonly #earlyInARow = new Map<Place, number>()
  /** Given up for a while; a try now and then, until one has served. */
  readonly #parked = new Set<Place>()
  #earlyExits: number[] = []

  constructor(private readonly options: RestartOptions = defaultRestartOptions) {}

  /**
   * @param servedMs from ready to exit; 0 when it never was ready
   * @param now any steady clock
   */
  exited(place: Place, servedMs: number, now: number): RestartDecision {
    const { provenMs, firstDelayMs, maxDelayMs, parkAfter, windowMs, parkMs } = this.options
    if (servedMs >= provenMs) {
      this.#earlyInARow.delete(place)
      this.#parked.delete(place)
      return { kind: 'now' }
    }
    const inARow = (this.#earlyInARow.get(place) ?? 0) + 1
    this.#earlyInARow.set(place, inARow)
    this.#earlyExits = [...this.#earlyExits.filter(at => at > now - windowMs), now]
    // One each, of many places, is no loop: what they all need may have been away for a moment.
    if (this.#earlyExits.length >= Math.max(parkAfter, 2 * this.#earlyInARow.size)) this.#parked.add(place)
    if (this.#parked.has(place)) return { kind: 'park', delayMs: parkMs }
    return { kind: 'after', delayMs: Math.min(firstDelayMs * 2 ** (inARow - 1), maxDelayMs) }
  }
}
