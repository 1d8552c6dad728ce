import type { Exchange } from '../requests/exchange.js'
import type { Handshake } from '../requests/handshake.js'
import { LinkedList, type Entry } from '../linked-list.js'

/**
 * - `joining`: new, waits for its first good probe
 * - `ready`: takes requests
 * - `unhealthy`: probes failed; taken back by good ones
 * - `unreachable`: refuses connections, so its process is gone or not there yet; taken back by good probes
 * - `ejected`: real traffic failed; taken back after a while
 * - `draining`: takes nothing new and never will again
 * - `gone`: removed
 */
export type TargetState = 'joining' | 'ready' | 'unhealthy' | 'unreachable' | 'ejected' | 'draining' | 'gone'

/** How a target is reached: by a socket, or by a call into the same process. */
export interface Transport {
  /** Carries the exchange to the target; tells the outcome by the exchange's own methods. */
  send(exchange: Exchange, target: Target): void
  /** The same for a connection that is about to be upgraded. */
  upgrade(handshake: Handshake): void
  close(): void
}

/** An upgraded connection, as far as its target needs to know it. */
export interface UpgradedConnection {
  /** Ends it with WebSocket code 1012 (service restart), at the next frame boundary. */
  closeForRestart(): void
}

/** What is in flight at a target: a request, or a handshake; at one target at a time. */
export interface InFlight {
  /** For the target alone. */
  place?: Entry | undefined
  /** The target was found hung or gone. */
  targetWentDown(): void
  /** The target will never finish what it has of it. */
  targetBrokeOff(): void
}

/** Told of every change that may matter to who is picked. */
export interface TargetObserver {
  targetChanged(target: Target, from: TargetState): void
  targetHasRoom(target: Target): void
  targetDrained(target: Target): void
}

/** One worker as the balancer sees it. The only place where its state changes. */
export class Target {
  #state: TargetState = 'joining'
  readonly #exchanges = new LinkedList<InFlight>()
  /** Those that belong here by affinity. */
  readonly #bound = new LinkedList<InFlight>()
  readonly #upgraded = new Set<UpgradedConnection>()
  /** It has refused a connection since it was ready: apart from the state, because a drain is never left. */
  #refused = false
  /** Gateway failures since the last answer. */
  failuresInARow = 0
  /** What the length of an ejection is reckoned by: the ejections that still count, the last one included. */
  ejections = 0
  /** When the last one was over, in the clock of `performance.now()`. */
  ejectionEndedAt = 0
  /** When it last became ready, in the clock of `performance.now()`. */
  readySince = 0

  constructor(
    readonly id: string,
    readonly transport: Transport,
    private readonly maxInFlight: number,
    private readonly observer: TargetObserver,
  ) {}

  get state(): TargetState {
    return this.#state
  }

  get inFlight(): number {
    return this.#exchanges.size
  }

  /** Requests in flight that belong here by affinity. They are not in `inFlight`, and fill nothing up. */
  get bound(): number {
    return this.#bound.size
  }

  get upgraded(): number {
    return this.#upgraded.size
  }

  get full(): boolean {
    return this.#exchanges.size >= this.maxInFlight
  }

  /** Its process is not there, by what was last heard of it. */
  get gone(): boolean {
    return this.#state === 'gone' || this.#refused
  }

  begin(exchange: InFlight, bound = false): void {
    exchange.place = (bound ? this.#bound : this.#exchanges).add(exchange)
  }

  end(exchange: InFlight): void {
    const wasFull = this.full
    if (!this.#exchanges.remove(exchange.place) && !this.#bound.remove(exchange.place)) return
    if (this.#state === 'draining') this.#settleDrain()
    else if (wasFull) this.observer.targetHasRoom(this)
  }

  beginUpgraded(connection: UpgradedConnection): void {
    this.#upgraded.add(connection)
    if (this.#state === 'draining' || this.#state === 'gone') connection.closeForRestart()
  }

  endUpgraded(connection: UpgradedConnection): void {
    if (this.#upgraded.delete(connection) && this.#state === 'draining') this.#settleDrain()
  }

  /** Probes say it is well. Does nothing for a target that drains: that is never left. */
  markReady(): void {
    if (this.#state === 'ready' || this.#state === 'draining' || this.#state === 'gone') return
    this.failuresInARow = 0
    this.#refused = false
    this.readySince = performance.now()
    this.#become('ready')
  }

  /** Probes say it is not. A drain goes on, but what can be tried elsewhere does not wait for it. */
  markUnhealthy(): void {
    if (this.#state === 'ready' || this.#state === 'ejected') this.#goDown('unhealthy')
    else if (this.#state === 'draining') this.#sendElsewhere()
  }

  /** Its socket refused a connection: nobody listens there. */
  markUnreachable(): void {
    this.#refused = true
    if (this.#state === 'draining' || this.#state === 'gone' || this.#state === 'unreachable') return
    this.#goDown('unreachable')
  }

  eject(): void {
    if (this.#state !== 'ready') return
    this.ejections += 1
    this.#goDown('ejected')
  }

  /** Takes nothing new from now on; the observer hears when the last request in flight is over. */
  beginDrain(): void {
    if (this.#state === 'draining' || this.#state === 'gone') return
    this.#become('draining')
    this.closeUpgraded()
    this.#settleDrain()
  }

  /** It is not there any more. What can be tried elsewhere is, what cannot will hear of it by its own socket. */
  markGone(): void {
    if (this.#state === 'gone') return
    this.#goDown('gone')
    this.transport.close()
  }

  /** A few at a time: their clients come back at once, and all of them together would be a stampede. */
  closeUpgraded(connections = [...this.#upgraded]): void {
    for (const connection of connections.splice(0, UPGRADED_CLOSED_AT_ONCE)) connection.closeForRestart()
    if (connections.length > 0) setTimeout(() => this.closeUpgraded(connections), UPGRADED_PAUSE_MS).unref()
  }

  /** Nothing comes of what it has still in flight: for a target whose connections would not tell so by themselves. */
  breakOff(): void {
    for (const exchange of this.#inFlight()) exchange.targetBrokeOff()
  }

  #inFlight(): InFlight[] {
    return [...this.#exchanges.items(), ...this.#bound.items()]
  }

  #goDown(state: TargetState): void {
    this.#become(state)
    this.#sendElsewhere()
  }

  #sendElsewhere(): void {
    for (const exchange of this.#inFlight()) exchange.targetWentDown()
  }

  #become(state: TargetState): void {
    const from = this.#state
    this.#state = state
    if (from === 'ejected') this.ejectionEndedAt = performance.now()
    this.observer.targetChanged(this, from)
  }

  #settleDrain(): void {
    const busy = this.#exchanges.size + this.#bound.size + this.#upgraded.size > 0
    if (!busy) this.observer.targetDrained(this)
  }
}

const UPGRADED_CLOSED_AT_ONCE = 50
const UPGRADED_PAUSE_MS = 50
