import { Deadlines, type Waiting } from './deadlines.js'
import type { BalancerErrorCode } from '../errors.js'
import type { NoPick } from '../targets/target-pool.js'

/** What waits: called up when a target may be free, or told why there is no hope. */
export interface Waiter extends Waiting {
  calledUp(): void
  giveUp(code: BalancerErrorCode): void
}

export interface WaitingRoomOptions {
  /** How many may wait. */
  holdLimit: number
  /** How long one waits that came while no target was ready. */
  holdMs: number
  /** How long one waits that came while every ready target was full. */
  overloadWaitMs: number
}

/**
 * The bounded waiting room while no target can be picked, first in first out. Those that came while no target was
 * ready wait long (a restart is being bridged), those that came while all were full only for a moment (shedding).
 */
export class WaitingRoom {
  readonly #forTarget: Deadlines<Waiter>
  readonly #forRoom: Deadlines<Waiter>
  readonly #limit: number
  #admitting = false

  /** @param isOpen whether somebody could be picked now */
  constructor(
    options: WaitingRoomOptions,
    private readonly isOpen: () => boolean,
  ) {
    this.#limit = options.holdLimit
    this.#forTarget = new Deadlines(options.holdMs, waiter => waiter.giveUp('NO_TARGET_READY'))
    this.#forRoom = new Deadlines(options.overloadWaitMs, waiter => waiter.giveUp('OVERLOADED'))
  }

  get size(): number {
    return this.#forTarget.size + this.#forRoom.size
  }

  enter(waiter: Waiter, reason: NoPick): void {
    if (this.size >= this.#limit) waiter.giveUp(reason === 'full' ? 'OVERLOADED' : 'WAITING_ROOM_FULL')
    else if (reason === 'full') this.#forRoom.add(waiter)
    else this.#forTarget.add(waiter)
  }

  leave(waiter: Waiter): void {
    if (!this.#forTarget.delete(waiter)) this.#forRoom.delete(waiter)
  }

  /** Calls up as many as find a target, those that have waited longest first. */
  admit(): void {
    // One that is called up may fill or free a target, which asks for another round: this one sees to it.
    if (this.#admitting || this.size === 0) return
    this.#admitting = true
    for (const queue of [this.#forTarget, this.#forRoom]) {
      for (const waiter of queue.items()) {
        queue.expire()
        if (!this.isOpen()) break
        if (queue.delete(waiter)) waiter.calledUp()
      }
    }
    this.#admitting = false
  }

  /** Sends everyone away. */
  close(): void {
    for (const queue of [this.#forTarget, this.#forRoom]) {
      const waiters = queue.items()
      queue.stop()
      for (const waiter of waiters) waiter.giveUp('NO_TARGET_READY')
    }
  }
}
