import type { ClientAccount } from '../ledger/client-account.js'
import type { Holding } from '../ledger/holding.js'

/** The room that admits waiters when a place has become free, or a client may have one again. */
interface AdmittingRoom {
  readonly size: number
  admit(): void
}

/** An app that answers faster delays no other client. */
const LONG_MS = 1

/** The place that one request holds of those of its client. */
export class RequestPlace {
  #holding: Holding | undefined
  #usedSince: number | undefined

  constructor(
    private readonly account: ClientAccount,
    private readonly room: AdmittingRoom,
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

  /** The app in this process begins to work. @param now in the clock of `performance.now()` */
  usedSince(now: number): void {
    this.#usedSince = now
  }

  /**
   * A request that took the app in this process some time is in the way of others until the next turn of the event loop:
   * all that one client has sent may be worked on in one turn, each after the answer to the one before.
   */
  free(): void {
    const holding = this.#holding
    if (holding === undefined) return
    this.#holding = undefined
    if (holding.isLimited || (holding.isContended && this.#wasUsedLong)) setImmediate(() => this.#release(holding))
    else this.#release(holding)
  }

  get #wasUsedLong(): boolean {
    return this.#usedSince !== undefined && performance.now() - this.#usedSince >= LONG_MS
  }

  #release(holding: Holding): void {
    holding.release()
    if (this.room.size > 0) this.room.admit()
  }
}
