import type { Route } from '../plan/action.js'
import type { ChildState } from '../plan/observed.js'
import type { Child, Reachability } from '../processes/child.js'
import type { ConnectionDealer } from './connection-dealer.js'
import { TargetBoard } from './target-board.js'

/** A worker is dealt no connections when it was silent for so long and others were not; heartbeats come each second. */
const SILENT_MS = 4_000

/** Who passes requests on, and to whom: the balancers, or in mesh mode the workers among themselves. */
export class Traffic {
  readonly board = new TargetBoard()

  /**
   * @param children all that there are, by their names
   * @param dealer mesh mode: deals out the connections that the primary takes
   * @param socketOf where a worker is reached
   */
  constructor(
    private readonly children: ReadonlyMap<string, Child>,
    private readonly dealer: ConnectionDealer | undefined,
    private readonly socketOf: (workerId: string) => string,
  ) {}

  /** What the processes that balance have found out about a child. A balancer has nobody who would. */
  reachabilityOf(child: Child): Reachability {
    const isReady = child.state === 'ready'
    if (child.role === 'balancer') return { reachable: isReady, drained: true }
    const balancing = this.#balancing()
    return {
      reachable: isReady && this.board.readyAtAll(balancing, child.id),
      drained: this.board.drainedAtAll(balancing, child.id),
    }
  }

  /** Tells every process that balances which workers there are. */
  direct(routes: readonly Route[]): void {
    const targets = routes.flatMap(({ child: name, draining }) => {
      const child = this.children.get(name)
      return child === undefined ? [] : [{ id: child.id, socketPath: this.socketOf(child.id), draining }]
    })
    const crashed = this.#all('worker').filter(({ state }) => state === 'crashed')
    const ended = crashed.map(({ id }) => ({ id, fault: true }))
    this.board.tell(this.#forwarding(), targets, ended)
    this.dealer?.setTakers(this.#fittest())
  }

  /** Whether a request could be answered now. */
  get isServing(): boolean {
    if (this.#balancing().length === 0) return false
    return this.#ready().some(child => this.dealer !== undefined || this.reachabilityOf(child).reachable)
  }

  /** In mesh mode connections go to workers that were heard of and find their own app well, else to any that is ready. */
  #fittest(): Child[] {
    const ready = this.#ready()
    const awake = ready.filter(child => performance.now() - child.heardAt < SILENT_MS)
    const well = awake.filter(child => this.board.readyAtAll([child], child.id))
    return [well, awake, ready].find(some => some.length > 0) ?? []
  }

  #ready(): Child[] {
    return this.#all('worker').filter(({ state }) => state === 'ready')
  }

  #all(role: Child['role']): Child[] {
    return [...this.children.values()].filter(child => child.role === role)
  }

  /** The processes that pick targets. One that has crashed still forwards what it holds. */
  #forwarding(): Child[] {
    const states = this.dealer === undefined ? BALANCERS_THAT_PICK : WORKERS_THAT_PICK
    return this.#all(this.dealer === undefined ? 'balancer' : 'worker').filter(({ state }) => states.has(state))
  }

  /** Those of them whose word counts. */
  #balancing(): Child[] {
    return this.#forwarding().filter(({ state }) => state !== 'crashed')
  }
}

const BALANCERS_THAT_PICK = new Set<ChildState>(['starting', 'ready'])
const WORKERS_THAT_PICK = new Set<ChildState>(['ready', 'draining', 'crashed'])
