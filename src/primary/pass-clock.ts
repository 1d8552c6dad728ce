import { Standstill } from './standstill.js'

/** The longest time between two passes. */
const LOOK_INTERVAL_MS = 1_000

/** Says when the next pass is due: at the time that the last one named, and at the latest a second later. */
export class PassClock {
  readonly #standstill = new Standstill()
  #awakeSince = performance.now()
  #look: NodeJS.Timeout | undefined
  #wakeUp: NodeJS.Timeout | undefined
  #wakesAt = Infinity

  /** @param onDue called when a pass is due */
  constructor(private readonly onDue: () => void) {}

  /** @param look called once a second, before the pass that is due then */
  start(look: () => void): void {
    this.#look = setInterval(() => {
      look()
      this.onDue()
    }, LOOK_INTERVAL_MS)
  }

  /** A pass begins. @returns since when this process has run without a break */
  begin(now: number): number {
    if (this.#standstill.isOver(now)) this.#awakeSince = now
    return this.#awakeSince
  }

  /** Forgets what earlier passes asked for. */
  clear(): void {
    clearTimeout(this.#wakeUp)
    this.#wakesAt = Infinity
  }

  /** A pass is due at this time; the earliest of several counts. */
  wakeAt(time: number, now: number): void {
    if (time >= this.#wakesAt) return
    clearTimeout(this.#wakeUp)
    this.#wakesAt = time
    this.#wakeUp = setTimeout(this.onDue, Math.max(1, time - now + 1))
  }

  stop(): void {
    clearTimeout(this.#wakeUp)
    clearInterval(this.#look)
  }
}
