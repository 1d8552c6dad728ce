import { WaitingRoom, type Waiter, type WaitingRoomOptions } from './waiting-room.js'

export interface PauseEvents {
  /** Nothing is in flight any more. Called once a pause. @param until as the pause was begun */
  onQuiet(until: number): void
}

/** No pause is longer. */
const MAX_MS = 3_600_000
/** Checked this often, and only during a pause. */
const LOOK_MS = 25

/**
 * Requests that are held back, because a person has paused the traffic. As many as in any waiting room, with the same
 * shares. All go on when the pause ends, which it does by itself.
 */
export class Pause {
  readonly #room: WaitingRoom
  #until: number | undefined
  #isEnding = false
  #end: NodeJS.Timeout | undefined
  #look: NodeJS.Timeout | undefined

  /** @param isBusy whether a request is in flight that was not held back */
  constructor(
    { holdLimit }: Pick<WaitingRoomOptions, 'holdLimit'>,
    private readonly isBusy: () => boolean,
    private readonly events: PauseEvents,
  ) {
    // The end of the pause is the deadline of all.
    this.#room = new WaitingRoom({ holdLimit, holdMs: 2 * MAX_MS, overloadWaitMs: 2 * MAX_MS }, () => true)
  }

  get isOn(): boolean {
    return this.#until !== undefined
  }

  /** Those that were held back are going on just now. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  get size(): number {
    return this.#room.size
  }

  /** Begins a pause, or changes its end. @param until in milliseconds since 1970 */
  begin(until: number): void {
    if (until === this.#until) return
    this.#clear()
    this.#until = until
    this.endWithin(until - Date.now())
    this.#look = setInterval(() => this.#lookForQuiet(until), LOOK_MS)
  }

  /** For a process that is told of no other end. */
  endWithin(ms: number): void {
    if (this.#until === undefined) return
    clearTimeout(this.#end)
    this.#end = setTimeout(() => this.end(), Math.min(Math.max(ms, 0), MAX_MS))
  }

  end(): void {
    if (this.#until === undefined) return
    this.#until = undefined
    this.#clear()
    this.reconsider()
  }

  /** Lets those that were held back be looked at anew. */
  reconsider(): void {
    this.#isEnding = true
    this.#room.admitAll()
    this.#isEnding = false
  }

  enter(waiter: Waiter): void {
    this.#room.enter(waiter, 'none-ready')
  }

  leave(waiter: Waiter): void {
    this.#room.leave(waiter)
  }

  /** Gives up on all that wait. */
  stop(): void {
    this.#until = undefined
    this.#clear()
    this.#room.close()
  }

  #lookForQuiet(until: number): void {
    if (this.isBusy()) return
    clearInterval(this.#look)
    this.events.onQuiet(until)
  }

  #clear(): void {
    clearTimeout(this.#end)
    clearInterval(this.#look)
  }
}
