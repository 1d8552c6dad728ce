import type { IncomingMessage } from 'node:http'
import { mayTake } from '../contract/dynamic-threshold.js'
import type {
  ForwardedRequest,
  ForwardedUpgrade,
  Places,
  Transport,
  UpgradedConnection,
} from '../transports/transport.js'
import { LinkedList, type Entry } from '../contract/linked-list.js'
import { NOTHING, type InFlight } from './in-flight.js'
import { LongLived } from './long-lived.js'

/**
 * - `joining`: new, waits for its first good probe
 * - `ready`: takes requests
 * - `unhealthy`: probes failed; good probes bring it back
 * - `unreachable`: refuses connections, so its process has died or has not started; good probes bring it back
 * - `ejected`: real traffic failed; comes back after a while
 * - `draining`: takes nothing new and never will again
 * - `gone`: removed
 */
export type TargetState = 'joining' | 'ready' | 'unhealthy' | 'unreachable' | 'ejected' | 'draining' | 'gone'

/**
 * How a process ended:
 * - `fault`: by itself, or it hung; perhaps because of a request
 * - `killed`: by somebody else
 * - `explained`: because of a request that is known
 */
export type Ending = 'fault' | 'killed' | 'explained'

/** Notified of each change that may affect picking. */
export interface TargetObserver {
  targetChanged(target: Target, from: TargetState): void
  targetHasRoom(target: Target): void
  targetDrained(target: Target): void
}

/** One worker as the balancer sees it. */
export class Target implements Places {
  #state: TargetState = 'joining'
  readonly #unbound = new LinkedList<InFlight>()
  readonly #bound = new LinkedList<InFlight>()
  /** Whether it has refused a connection since it was last ready. Not a state, because a drain must not end. */
  #refused = false
  /** The number of unbound requests that were answered with a stream at the last count. */
  #streaming = 0
  #readySince = 0
  #ending: Ending | undefined
  readonly longLived = new LongLived(this.#bound)
  /** The place of a request that may have ended another target. */
  #alone: Entry | undefined

  constructor(
    readonly id: string,
    private readonly transport: Transport,
    private readonly maxInFlight: number,
    private readonly observer: TargetObserver,
  ) {}

  get state(): TargetState {
    return this.#state
  }

  /** Requests in flight, without the bound ones. */
  get inFlight(): number {
    return this.#unbound.size
  }

  /** Requests in flight that belong to this target by affinity. They do not make it full. */
  get bound(): number {
    return this.#bound.size
  }

  get upgraded(): number {
    return this.longLived.upgraded
  }

  /** Whether as many requests wait for an answer as may. An answer that streams holds no place. */
  get full(): boolean {
    if (this.#unbound.size - this.#streaming < this.maxInFlight) return false
    // Counted only when it matters.
    this.#streaming = this.#unbound.count(({ answering }) => answering)
    return this.#unbound.size - this.#streaming >= this.maxInFlight
  }

  /**
   * Whether a client may have one more of the requests that have to come here, and not to any target: as many as it leaves
   * free, as of all targets together.
   * @param bound of those that belong here by affinity
   * @param limit of all clients together
   */
  hasShareFor(client: object, bound: boolean, limit: number): boolean {
    const requests = bound ? this.#bound : this.#unbound
    const free = limit - (bound ? requests.size : requests.size - this.#streaming)
    // As long as more than half are free, nobody is at a share, so nothing has to be counted.
    if (free * 2 > limit) return true
    const held = requests.count(({ account, answering }) => account === client && !answering)
    return mayTake(held, 1, free)
  }

  /** Those that are counted as in flight. */
  get requests(): InFlight[] {
    return this.#unbound.items()
  }

  /** The app in this process does not say when an answer begins, so that is looked for. */
  noteAnswers(): void {
    for (const request of this.#unbound.items()) if (request.answering) request.noteAnswering()
  }

  /** Whether its process has died, as far as is known. */
  get gone(): boolean {
    return this.#state === 'gone' || this.#refused
  }

  /** How its process ended; undefined as long as that is not known. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  /** It has a request that may have ended another target, and takes no second one of that kind. */
  get hasSuspect(): boolean {
    return this.#alone !== undefined
  }

  /** When it last became ready, in the clock of `performance.now()`. */
  get readySince(): number {
    return this.#readySince
  }

  /** Takes a place for a request. Returns the place, which is given back to `end`. */
  begin(request: InFlight, bound = false): Entry {
    if (bound) this.longLived.noteBound()
    return (bound ? this.#bound : this.#unbound).add(request)
  }

  /** Takes a place for a request that may have ended another target. */
  beginAlone(request: InFlight): Entry {
    this.#alone = this.begin(request)
    return this.#alone
  }

  send(request: ForwardedRequest): void {
    this.transport.send(request, this)
  }

  upgrade(upgrade: ForwardedUpgrade): void {
    this.transport.upgrade(upgrade)
  }

  /** See `Transport`. */
  ping(answered: () => void): boolean {
    return this.transport.ping(answered)
  }

  /** Frees a place. Does nothing when it is free already. */
  end(place: Entry | undefined): void {
    const wasFull = this.full
    if (!this.#unbound.remove(place) && !this.#bound.remove(place)) return
    if (this.#streaming > 0) this.#streaming -= 1
    const wasAlone = place === this.#alone
    if (wasAlone) this.#alone = undefined
    if (this.#state === 'draining') this.#settleDrain()
    else if (wasFull || wasAlone) this.observer.targetHasRoom(this)
  }

  holdUntilNextTurn(): void {
    const place = this.begin(NOTHING)
    setImmediate(() => this.end(place))
  }

  beginUpgraded(connection: UpgradedConnection): void {
    this.longLived.add(connection)
    if (this.#state === 'gone') connection.closeForRestart()
  }

  endUpgraded(connection: UpgradedConnection): void {
    if (this.longLived.delete(connection) && this.#state === 'draining') this.#settleDrain()
  }

  /** Probes are good, or an ejection is over. */
  markReady(): void {
    if (this.#state === 'ready' || this.#state === 'draining' || this.#state === 'gone') return
    this.#refused = false
    this.#ending = undefined
    this.#readySince = performance.now()
    this.#become('ready')
  }

  /** Records how its process ended. A process that has crashed may serve on for a moment, but not what it had. */
  noteEnd(ending: Ending): void {
    if (ending === 'explained') this.explainEnd()
    this.#ending ??= ending
    this.markUnreachable()
    if (this.#state === 'draining') this.#sendElsewhere()
  }

  /** The request that ended it is known. */
  explainEnd(): void {
    this.#ending = 'explained'
  }

  /** Probes fail. A drain continues; requests that can be retried go to other targets. */
  markUnhealthy(): void {
    const isUp = this.#state === 'ready' || this.#state === 'ejected'
    if (!isUp && this.#state !== 'draining') return
    this.#ending ??= 'fault'
    if (isUp) this.#goDown('unhealthy')
    else this.#sendElsewhere()
  }

  /** Nothing listens on its socket. */
  markUnreachable(): void {
    this.#refused = true
    if (this.#state === 'draining' || this.#state === 'gone' || this.#state === 'unreachable') return
    this.#goDown('unreachable')
  }

  /** Real traffic failed too often. */
  eject(): void {
    if (this.#state === 'ready') this.#goDown('ejected')
  }

  /** Takes nothing new from now on. Notifies the observer when the last request in flight has ended. */
  beginDrain(): void {
    if (this.#state === 'draining' || this.#state === 'gone') return
    this.#become('draining')
    this.endLongLived()
    this.#settleDrain()
  }

  /** Removes the target. Retryable requests go to other targets; the rest end with their connections. */
  markGone(): void {
    if (this.#state === 'gone') return
    this.#goDown('gone')
    this.transport.close()
  }

  closeUpgraded(): void {
    this.longLived.closeUpgraded()
  }

  /** Closes upgraded connections and ends polls from now on, a few at a time. */
  endLongLived(): void {
    this.longLived.end()
  }

  /** Ends what is in flight at a target whose connections would not end by themselves. */
  breakOff(): void {
    for (const request of this.#requests()) request.targetBrokeOff()
  }

  /** Answers what has no answer with an error, because this process ends. Returns these requests. */
  abandon(): IncomingMessage[] {
    return this.#requests().flatMap(request => request.abandon() ?? [])
  }

  #requests(): InFlight[] {
    return [...this.#unbound.items(), ...this.#bound.items()]
  }

  #goDown(state: TargetState): void {
    this.#become(state)
    this.#sendElsewhere()
  }

  #sendElsewhere(): void {
    for (const request of this.#requests()) request.targetWentDown()
  }

  #become(state: TargetState): void {
    const from = this.#state
    this.#state = state
    this.observer.targetChanged(this, from)
  }

  #settleDrain(): void {
    if (this.inFlight + this.bound + this.upgraded === 0) this.observer.targetDrained(this)
  }
}
