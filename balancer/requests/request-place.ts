import type { ClientAccount } from '../ledger/client-account.js'
import type { Holding } from '../ledger/holding.js'

/** The room that admits waiters when a place has become free, or a client may have one again. */
interface Room {
  readonly size: number
  admit(): void
}

/** The place that one request holds of those of its client. */
export class RequestPlace {
  #holding: Holding | undefined

  constructor(
    private readonly account: ClientAccount,
    private readonly room: Room,
  ) {}

  get isTaken(): boolean {
    return this.#holding !== undefined
  }

  /** It could be a place of any request. */
  get isOfAll(): boolean {
    return this.#holding === this.account.places
  }

  /** Takes a place unless there is one. It is kept over all tries. @param bound at the target that has its session */
  take(bound: boolean): void {
    if (this.#holding !== undefined) return
    this.#holding = bound ? this.account.polls : this.account.places
    this.#holding.add()
  }

  free(): void {
    const holding = this.#holding
    if (holding === undefined) return
    this.#holding = undefined
    holding.release()
    if (this.room.size > 0) this.room.admit()
  }
}
