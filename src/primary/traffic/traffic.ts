import type { Child } from '../processes/child.js'
import type { ConnectionDealer } from './connection-dealer.js'
import type { Roster } from '../plan/roster.js'
import { TargetBoard } from './target-board.js'

/** A worker is dealt no connections when it was silent for so long and others were not; heartbeats come each second. */
const SILENT_MS = 4_000

/** Who passes requests on, and to whom: the balancers, or in mesh mode the workers among themselves. */
export class Traffic {
  readonly board = new TargetBoard()

  /**
   * @param dealer mesh mode: deals out the connections that the primary takes
   * @param socketOf where a worker is reached
   */
  constructor(
    private readonly roster: Roster,
    private readonly dealer: ConnectionDealer | undefined,
    private readonly socketOf: (workerId: string) => string,
  ) {}

  /** Ready, and every balancing process has found it so. */
  reaches(child: Child): boolean {
    if (child.state !== 'ready') return false
    return child.role === 'balancer' || this.board.readyAtAll(this.#balancing(), child.id)
  }

  /** Nothing is in flight at it any more, or will be. */
  hasLeft(child: Child): boolean {
    return child.role === 'balancer' || this.board.drainedAtAll(this.#balancing(), child.id)
  }

  /**
   * Tells everybody the targets as they are now.
   * @returns whether a request could be served
   */
  direct(): boolean {
    const workers = this.roster.workers()
    const inUse = workers.filter(({ state }) => state === 'ready' || state === 'draining')
    const targets = inUse.map(({ id, state }) => ({
      id,
      socketPath: this.socketOf(id),
      draining: state === 'draining',
    }))
    this.board.tell(this.#forwarding(), targets)
    const ready = workers.filter(({ state }) => state === 'ready')
    this.dealer?.setTakers(this.#fittest(ready))
    return this.#balancing().length > 0 && ready.some(child => this.dealer !== undefined || this.reaches(child))
  }

  /** In mesh mode connections go to workers that were heard of, and find their own app well; or else to whom there is. */
  #fittest(ready: Child[]): Child[] {
    const awake = ready.filter(child => performance.now() - child.heardAt < SILENT_MS)
    const well = awake.filter(child => this.board.readyAtAll([child], child.id))
    return [well, awake, ready].find(some => some.length > 0) ?? []
  }

  /** The processes that pick targets. */
  #forwarding(): Child[] {
    if (this.dealer === undefined) return this.roster.slotsFor('balancer').flatMap(slot => slot.children)
    return this.roster.workers().filter(({ state }) => state === 'ready' || state === 'draining')
  }

  /** Those of them whose word counts. One that has crashed forwards what it holds, and that is all. */
  #balancing(): Child[] {
    return this.#forwarding().filter(({ ending }) => ending === '')
  }
}
