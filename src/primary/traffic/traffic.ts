import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import { STAND_IN_MS } from '../../ipc/hang-sign.js'
import type { Route } from '../plan/action.js'
import type { ChildState, Reachability } from '../plan/observed.js'
import type { Child } from '../processes/child.js'
import { acquainted } from './acquainted.js'
import type { ConnectionDealer } from './connection-dealer.js'
import { FatalRequestRecord, type FatalRequestNews } from './fatal-request-record.js'
import { FailedWorkers, type RequestsThen } from './failed-workers.js'
import { TargetBoard } from './target-board.js'

/** A worker that was silent for this long gets no connections unless all were. Heartbeats come each second. */
const SILENT_MS = 4_000

export interface TrafficLog {
  /** Called at most 20 times a minute. */
  fatalRequest(news: FatalRequestNews): void
  /** A worker has failed in mesh mode, and it is not known in which call of the app. */
  failedWith(worker: Child, reason: string, requests: RequestsThen): void
}

/** The routing of requests: which processes balance, and over which targets. In mesh mode every worker balances. */
export class Traffic {
  readonly board = new TargetBoard()
  readonly fatal: FatalRequestRecord
  readonly #failed: FailedWorkers
  /** Workers of a release that is not the one of all clients, by name. */
  #beside: ReadonlySet<string> = new Set()
  #awaitingRoutes: Array<() => void> = []
  #awaitingQuiet: Array<{ pausedUntil: number; resolve: () => void }> = []

  /**
   * @param children all children, by name
   * @param role of the processes that balance
   * @param dealer deals the connections that the primary accepts; undefined if the one balancer accepts them
   * @param socketOf the path of a worker's unix socket
   * @param edgeOrder what is to happen to requests before a worker is looked for
   */
  constructor(
    private readonly children: ReadonlyMap<string, Child>,
    private readonly role: Child['role'],
    private readonly dealer: ConnectionDealer | undefined,
    private readonly socketOf: (workerId: string) => string,
    log: TrafficLog = { fatalRequest: () => undefined, failedWith: () => undefined },
    private readonly edgeOrder: () => EdgeOrder = () => ({}),
  ) {
    this.fatal = new FatalRequestRecord(news => log.fatalRequest(news))
    this.#failed = new FailedWorkers(socketOf, this.fatal, (...facts) => log.failedWith(...facts))
  }

  /** The reports of the balancing processes about a child. A balancer reports its own clients. */
  reachabilityOf(child: Child): Reachability {
    const isReady = child.state === 'ready'
    if (child.role === 'balancer') return { reachable: isReady, drained: this.board.hasNoClients(child) }
    const balancing = this.#balancing()
    return {
      reachable: isReady && this.board.readyAtAll(balancing, child.id),
      drained: this.board.drainedAtAll(balancing, child.id),
    }
  }

  /** A process serves from now on. */
  begin(child: Child): void {
    if (child.role === this.role && child.role === 'worker') this.#failed.begin(child)
  }

  /** How long a process that hangs has to end itself. In mesh mode nobody else can answer the clients of a worker. */
  graceOf(child: Child): number {
    return this.#hasClients(child) && this.#failed.askStandIn(child) ? STAND_IN_MS : 0
  }

  /** A process has exited. @returns whether one of its requests has ended it, as far as its balancers do not find out */
  noteEnd(child: Child): boolean {
    return child.hasFailed && this.#hasClients(child) && this.#failed.note(child, child.ending, this.#forwarding())
  }

  /** Whether it was a worker of mesh mode that served. */
  #hasClients({ role, servedMs }: Child): boolean {
    return role === 'worker' && this.role === 'worker' && servedMs > 0
  }

  /** A process has exited. */
  forget(child: Child): void {
    this.board.forget(child)
    this.#failed.forget(child)
  }

  /** Sends the list of workers to every balancing process. */
  direct(routes: readonly Route[]): void {
    const targets = routes.flatMap(({ child: name, ...decided }) => {
      const child = this.children.get(name)
      return child === undefined ? [] : [{ id: child.id, socketPath: this.socketOf(child.id), ...decided }]
    })
    const crashed = this.#all('worker').filter(({ state }) => state === 'crashed')
    const ended = crashed.map(({ id }) => ({ id, fault: true }))
    this.#beside = new Set(routes.filter(({ share }) => share !== undefined).map(({ child }) => child))
    this.board.tell(this.#forwarding(), targets, ended, this.fatal.known, this.edgeOrder())
    this.dealer?.setTakers(this.#fittest())
    this.#checkRouted()
  }

  /** Resolves when every process that balances goes by the workers of the next `direct`. */
  routed(): Promise<void> {
    return new Promise(resolve => this.#awaitingRoutes.push(resolve))
  }

  /** A process that balances goes by the list with this number. */
  noteRouted(child: Child, list: number): void {
    this.board.noteRouted(child, list)
    this.#checkRouted()
  }

  /** Resolves when nothing is in flight any more since a pause, at any process that balances. */
  quiet(pausedUntil: number): Promise<void> {
    return new Promise(
      resolve => (this.#awaitingQuiet = [...this.#awaitingQuiet, { pausedUntil, resolve }].slice(-MAX_WAITS)),
    )
  }

  noteQuiet(child: Child, pausedUntil: number): void {
    this.board.noteQuiet(child, pausedUntil)
    this.#checkQuiet()
  }

  /** The instance stops, and requests that wait have to be answered. */
  endPause(): void {
    this.board.endPause(this.#forwarding(), this.edgeOrder())
  }

  #checkQuiet(): void {
    const balancing = this.#balancing()
    const isOver = ({ pausedUntil }: { pausedUntil: number }): boolean => this.board.quietAtAll(balancing, pausedUntil)
    for (const { resolve } of this.#awaitingQuiet.filter(isOver)) resolve()
    this.#awaitingQuiet = this.#awaitingQuiet.filter(wait => !isOver(wait))
  }

  #checkRouted(): void {
    if (this.#awaitingQuiet.length > 0) this.#checkQuiet()
    if (this.#awaitingRoutes.length === 0 || !this.board.routedAtAll(this.#balancing())) return
    for (const resolve of this.#awaitingRoutes.splice(0)) resolve()
  }

  /** Whether a request could be answered now. */
  get isServing(): boolean {
    if (this.#balancing().length === 0) return false
    return this.#ready().some(child => this.role === 'worker' || this.reachabilityOf(child).reachable)
  }

  /**
   * Workers of another release than the one of all clients get no connections: they take their requests over their
   * sockets. So a worker of a bad release that exits breaks no connection.
   *
   * Prefers healthy workers that have found each other, then one that all others have found, then healthy ones, then
   * processes with heartbeats, then any that is ready.
   */
  #fittest(): Child[] {
    const isMesh = this.role === 'worker'
    const ready = isMesh ? this.#ready() : this.#all('balancer').filter(({ state }) => state === 'ready')
    const awake = ready.filter(child => performance.now() - child.heardAt < SILENT_MS)
    if (!isMesh) return awake.length > 0 ? awake : ready
    const well = awake.filter(child => this.board.readyAt(child, child.id))
    // A client may come back by another worker, which has to find the one that its cookie names.
    const group = acquainted(well, (child, other) => this.board.readyAt(child, other.id))
    if (group.length > 1) return group
    const known = well.filter(child => this.board.readyAtAll(awake, child.id))
    return [known, well, awake, ready].find(some => some.length > 0) ?? []
  }

  #ready(): Child[] {
    return this.#all('worker').filter(({ state, name }) => state === 'ready' && !this.#beside.has(name))
  }

  #all(role: Child['role']): Child[] {
    return [...this.children.values()].filter(child => child.role === role)
  }

  /** The processes that pick targets. A crashed one still forwards the requests that it has. */
  #forwarding(): Child[] {
    const states = this.role === 'balancer' ? BALANCERS_THAT_PICK : WORKERS_THAT_PICK
    return this.#all(this.role).filter(({ state }) => states.has(state))
  }

  /** The balancing processes whose reports count. */
  #balancing(): Child[] {
    return this.#forwarding().filter(({ state }) => state !== 'crashed')
  }
}

/** How many waits are kept; callers have given up older ones. */
const MAX_WAITS = 16

const BALANCERS_THAT_PICK = new Set<ChildState>(['starting', 'ready', 'draining'])
const WORKERS_THAT_PICK = new Set<ChildState>(['ready', 'draining', 'crashed'])
