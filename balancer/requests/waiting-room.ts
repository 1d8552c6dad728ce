import type { BalancerErrorCode } from '../errors.js'
import type { BalancerOptions } from '../options.js'
import type { NoPick } from '../targets/target-pool.js'
import { Deadlines, type HasDeadline } from './deadlines.js'

/** What waits for a target. */
export interface Waiter extends HasDeadline {
  /** A target may be free now. */
  admitted(): void
  /** No target was found. */
  giveUp(code: BalancerErrorCode): void
}

export type WaitingRoomOptions = Pick<BalancerOptions, 'holdLimit' | 'holdMs' | 'overloadWaitMs'>

/**
 * A bounded queue for requests that no target can take now, first in, first out. Those that came while no target was
 * ready wait long, to bridge a restart. Those that came while every target was full wait only for a moment.
 */
export class WaitingRoom {
  readonly #forReady: Deadlines<Waiter>
  readonly #forRoom: Deadlines<Waiter>
  readonly #limit: number
  #admitting = false

  /** @param isOpen whether a request could be placed now */
  constructor(
    options: WaitingRoomOptions,
    private readonly isOpen: () => boolean,
  ) {
    this.#limit = options.holdLimit
    this.#forReady = new Deadlines(options.holdMs, waiter => waiter.giveUp('NO_TARGET_READY'))
    this.#forRoom = new Deadlines(options.overloadWaitMs, waiter => waiter.giveUp('OVERLOADED'))
  }

  get size(): number {
    return this.#forReady.size + this.#forRoom.size
  }

  enter(waiter: Waiter, reason: NoPick): void {
    if (this.size >= this.#limit) waiter.giveUp(reason === 'full' ? 'OVERLOADED' : 'WAITING_ROOM_FULL')
    else if (reason === 'full') this.#forRoom.add(waiter)
    else this.#forReady.add(waiter)
  }

  leave(waiter: Waiter): void {
    if (!this.#forReady.delete(waiter)) this.#forRoom.delete(waiter)
  }

  /** Admits as many as can be placed, those that have waited longest first. */
  admit(): void {
    // An admitted waiter may fill or free a target and so ask for another round, which this one already covers.
    if (this.#admitting || this.size === 0) return
    this.#admitting = true
    for (const queue of [this.#forReady, this.#forRoom]) {
      for (const waiter of queue.items()) {
        queue.expire()
        if (!this.isOpen()) break
        if (queue.delete(waiter)) waiter.admitted()
      }
    }
    this.#admitting = false
  }

  /** Gives up on all waiters. */
  close(): void {
    for (const queue of [this.#forReady, this.#forRoom]) {
      const waiters = queue.items()
      queue.stop()
      for (const waiter of waiters) waiter.giveUp('NO_TARGET_READY')
    }
  }
}
