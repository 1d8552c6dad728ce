import { defaults } from '#balancer/contract/defaults.js'
import type { Connection } from '../host/bound-handle.js'
import type { PublicPort } from '../host/public-port.js'
import { WaitingConnections, type WaitingConnection } from './waiting-connections.js'

export type { Connection } from '../host/bound-handle.js'

/** A receiver of connections. */
export interface ConnectionTaker {
  /**
   * @param undelivered called if the connection was not delivered
   * @returns false if the receiver has exited
   */
  give(connection: Connection, undelivered: () => void): boolean
  /** Gives up a connection that it has not taken yet, of a client that has more of these than this connection's client. */
  pushOutFor(connection: Connection): Connection | undefined
}

/** Answers a connection that cannot wait, or has waited too long. */
export type Refuse = (connection: Connection, code: 'NO_TARGET_READY' | 'WAITING_ROOM_FULL') => void

/**
 * The length of the kernel's own queue, in front of the one here; the kernel takes less where it allows less. In a queue
 * that is full, a flood delays everybody else by seconds.
 */
const BACKLOG = 4_096
/** The same bounds as for requests that wait at a balancer. */
const { holdLimit, holdMs } = defaults

/**
 * Accepts on the public port and deals the connections in turn, to the workers of mesh mode or to several balancers, as
 * the round robin of node:cluster does, with two differences. Only ready processes get connections, and while there is
 * none, connections wait here instead of being refused. This process never reads from a connection.
 */
export class ConnectionDealer {
  readonly #waiting = new WaitingConnections(holdLimit)
  #timer: NodeJS.Timeout | undefined
  #takers: readonly ConnectionTaker[] = []
  #turn = 0
  #isStopped = false

  constructor(
    private readonly publicPort: PublicPort,
    private readonly refuse: Refuse,
    /** How many open files the waiting connections may use. */
    private readonly openFiles: () => number = () => Infinity,
    /** Called when a connection begins to wait. */
    private readonly onWait: () => void = () => undefined,
  ) {}

  /** @throws {PortError} another program has begun to listen since the port was bound */
  start(): void {
    const { handle } = this.publicPort
    handle.onconnection = (error, connection) => {
      if (error !== 0) return
      // A high number means that few are free. One is closed unanswered: an answer would keep it open longer.
      const tooMany = connection.fd >= this.openFiles() ? (this.#pushOutFor(connection) ?? connection) : undefined
      tooMany?.close()
      if (tooMany !== connection) this.#deal({ connection, until: performance.now() + holdMs })
    }
    const error = handle.listen(BACKLOG)
    if (error !== 0) throw this.publicPort.lost(error)
  }

  /** Sets the receivers that connections are dealt to from now on. */
  setTakers(takers: readonly ConnectionTaker[]): void {
    if (this.#isStopped) return
    this.#takers = takers
    if (takers.length === 0) return
    clearTimeout(this.#timer)
    for (const each of this.#waiting.takeAll()) this.#deal(each)
  }

  /** How many connections wait for a process that takes them. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Nothing more is accepted. A connection that comes back from a receiver goes to one of the others, which end too, but
   * serve what they get before that.
   */
  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    for (const { connection } of this.#waiting.takeAll()) connection.close()
  }

  #pushOutFor(connection: Connection): Connection | undefined {
    for (const each of [this.#waiting, ...this.#takers]) {
      const pushedOut = each.pushOutFor(connection)
      if (pushedOut !== undefined) return pushedOut
    }
    return undefined
  }

  #deal(arrival: WaitingConnection): void {
    const again = (): void => this.#deal(arrival)
    // Each receiver is tried once. One that has exited may still be in the list.
    for (let untried = this.#takers.length; untried > 0; untried--) {
      const taker = this.#takers[this.#turn % this.#takers.length]
      this.#turn += 1
      if (taker?.give(arrival.connection, again) === true) return
    }
    if (this.#isStopped) this.refuse(arrival.connection, 'NO_TARGET_READY')
    else this.#wait(arrival)
  }

  #wait(arrival: WaitingConnection): void {
    const before = this.#waiting.first
    const refused = this.#waiting.add(arrival)
    if (refused !== undefined) this.refuse(refused, 'WAITING_ROOM_FULL')
    if (refused === arrival.connection) return
    this.onWait()
    if (this.#waiting.first !== before) this.#refuseInTime()
  }

  #refuseInTime(): void {
    clearTimeout(this.#timer)
    const now = performance.now()
    for (const { connection } of this.#waiting.takeLate(now)) this.refuse(connection, 'NO_TARGET_READY')
    const { first } = this.#waiting
    if (first !== undefined) this.#timer = setTimeout(() => this.#refuseInTime(), first.until - now + 1)
  }
}
