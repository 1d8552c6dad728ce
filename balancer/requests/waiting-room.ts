import type { BalancerErrorCode } from '../errors.js'
import type { BalancerOptions } from '../options.js'
import { LinkedList, type Entry } from '../contract/linked-list.js'
import type { NoPick } from '../targets/target-pool.js'
import { Deadlines, type HasDeadline } from './deadlines.js'

/** The client of a waiter: all of its waiters have the same one. */
export interface WaitingClient {
  /** Requests at targets that wait for their answers. */
  readonly places: { mayTake(): boolean }
}

/** A request that waits for a target. */
export interface Waiter extends HasDeadline {
  readonly account: WaitingClient
  /** It has a place of its client's share already. */
  readonly hasPlace: boolean
  /** A target may be free now. */
  admitted(): void
  /** No target was found. */
  giveUp(code: BalancerErrorCode): void
}

export type WaitingRoomOptions = Pick<BalancerOptions, 'holdLimit' | 'holdMs' | 'overloadWaitMs'>

/** The waiters of one client, in the order of arrival. */
interface Line {
  readonly client: WaitingClient
  readonly waiters: LinkedList<Waiter>
}

interface WaiterPlace {
  readonly line: Line
  readonly entry: Entry
  /** Since when it waits for a ready target, in the clock of `performance.now()`. */
  readonly heldSince: number | undefined
}

/**
 * A bounded room for requests that no target can take now. Clients take turns, and the request of a client that has
 * waited longest goes first. Nobody is refused while there is room, and when there is none, the longest line gives way
 * to a shorter one. Those that came while no target was ready wait long, to bridge a restart. Those that came while
 * every target was full, or their client at its share, wait only for a moment.
 */
export class WaitingRoom {
  readonly #forReady: Deadlines<Waiter>
  readonly #forRoom: Deadlines<Waiter>
  readonly #places = new Map<Waiter, WaiterPlace>()
  /** By client, in the order of their turns. */
  readonly #lines = new Map<WaitingClient, Line>()
  #admitting: { waiter: Waiter; place: WaiterPlace } | undefined
  #isAdmitting = false

  /** @param isOpen whether a request could be placed now */
  constructor(
    private readonly options: WaitingRoomOptions,
    private readonly isOpen: () => boolean,
  ) {
    this.#forReady = new Deadlines(options.holdMs, waiter => this.#refuse(waiter, 'NO_TARGET_READY'))
    this.#forRoom = new Deadlines(options.overloadWaitMs, waiter => this.#refuse(waiter, 'OVERLOADED'))
  }

  get size(): number {
    return this.#places.size
  }

  enter(waiter: Waiter, reason: NoPick): void {
    const code = reason === 'full' ? 'OVERLOADED' : 'WAITING_ROOM_FULL'
    const line = this.#lines.get(waiter.account) ?? { client: waiter.account, waiters: new LinkedList<Waiter>() }
    const held = this.#admitting?.waiter === waiter ? this.#admitting.place.heldSince : undefined
    const now = performance.now()
    if (held !== undefined && now - held >= this.options.holdMs) waiter.giveUp('NO_TARGET_READY')
    else if (this.size >= this.options.holdLimit && !this.#pushOut(line.waiters.size, code)) waiter.giveUp(code)
    else {
      // A request that waited for a ready target is not refused because others got there first.
      const isHeld = reason !== 'full' || held !== undefined
      const place = { line, entry: line.waiters.add(waiter), heldSince: isHeld ? (held ?? now) : undefined }
      this.#lines.set(line.client, line)
      this.#places.set(waiter, place)
      if (isHeld) this.#forReady.add(waiter)
      else this.#forRoom.add(waiter)
    }
  }

  leave(waiter: Waiter): void {
    if (this.#take(waiter) === undefined) return
    if (!this.#forReady.delete(waiter)) this.#forRoom.delete(waiter)
  }

  /** Admits as many as can be placed: clients in turn, and of each the one that has waited longest. */
  admit(): void {
    // An admitted waiter may fill or free a target and so ask for another round, which this one already covers.
    if (this.#isAdmitting || this.size === 0) return
    this.#isAdmitting = true
    let passedOver = 0
    for (let left = this.size; left > 0 && passedOver < this.#lines.size;) {
      this.#forReady.expire()
      this.#forRoom.expire()
      if (!this.isOpen()) break
      const [line] = this.#lines.values()
      const waiter = line?.waiters.first
      if (line === undefined || waiter === undefined) break
      this.#toTheEnd(line)
      if (!waiter.hasPlace && !line.client.places.mayTake()) passedOver += 1
      else {
        left -= 1
        passedOver = 0
        this.#admit(waiter)
      }
    }
    this.#isAdmitting = false
  }

  /** Admits all, clients in turn, whether they can be placed or not. One that comes back meanwhile stays. */
  admitAll(): void {
    if (this.#isAdmitting) return
    this.#isAdmitting = true
    for (let left = this.size; left > 0; left -= 1) {
      const [line] = this.#lines.values()
      const waiter = line?.waiters.first
      if (line === undefined || waiter === undefined) break
      this.#toTheEnd(line)
      this.#admit(waiter)
    }
    this.#isAdmitting = false
  }

  /** Gives up on all waiters. */
  close(): void {
    const waiters = [...this.#places.keys()]
    this.#forReady.stop()
    this.#forRoom.stop()
    for (const waiter of waiters) this.#refuse(waiter, 'NO_TARGET_READY')
  }

  #admit(waiter: Waiter): void {
    if (!this.#forReady.delete(waiter)) this.#forRoom.delete(waiter)
    const place = this.#take(waiter)
    if (place === undefined) return
    this.#admitting = { waiter, place }
    waiter.admitted()
    this.#admitting = undefined
  }

  #refuse(waiter: Waiter, code: BalancerErrorCode): void {
    if (this.#take(waiter) !== undefined) waiter.giveUp(code)
  }

  /** Removes a waiter from its line. */
  #take(waiter: Waiter): WaiterPlace | undefined {
    const place = this.#places.get(waiter)
    if (place === undefined) return undefined
    this.#places.delete(waiter)
    place.line.waiters.remove(place.entry)
    if (place.line.waiters.size === 0) this.#lines.delete(place.line.client)
    return place
  }

  #toTheEnd(line: Line): void {
    this.#lines.delete(line.client)
    this.#lines.set(line.client, line)
  }

  /** Gives up on the newest waiter of the longest line, if that line is longer than one that is about to grow. */
  #pushOut(length: number, code: BalancerErrorCode): boolean {
    let longest: Line | undefined
    for (const line of this.#lines.values()) {
      if (line.waiters.size > (longest?.waiters.size ?? length + 1)) longest = line
    }
    const waiter = longest?.waiters.last
    if (waiter === undefined) return false
    if (!this.#forReady.delete(waiter)) this.#forRoom.delete(waiter)
    this.#refuse(waiter, code)
    return true
  }
}
