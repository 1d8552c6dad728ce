import type { ClientAccount } from '../ledger/client-account.js'
import type { Holding } from '../ledger/holding.js'

/** Told that a place has become free, or that a client may have one again. */
interface Room {
  readonly size: number
  admit(): void
}

/** What one request holds of the shares of its client. */
export class RequestShares {
  #place: Holding | undefined
  #bodyBytes = 0

  constructor(
    readonly account: ClientAccount,
    private readonly room: Room,
  ) {}

  get hasPlace(): boolean {
    return this.#place !== undefined
  }

  /** Takes a place unless there is one. It is kept over all tries. @param bound at the target that has its session */
  takePlace(bound: boolean): void {
    if (this.#place !== undefined) return
    this.#place = bound ? this.account.polls : this.account.places
    this.#place.add()
  }

  freePlace(): void {
    const place = this.#place
    if (place === undefined) return
    this.#place = undefined
    place.release()
    if (this.room.size > 0) this.room.admit()
  }

  /** Takes memory for a body. Returns false if there is none for this client. */
  takeBody(bytes: number): boolean {
    if (!this.account.heldBytes.take(bytes)) return false
    this.#bodyBytes = bytes
    return true
  }

  freeBody(): void {
    if (this.#bodyBytes === 0) return
    this.account.heldBytes.release(this.#bodyBytes)
    this.#bodyBytes = 0
  }
}
