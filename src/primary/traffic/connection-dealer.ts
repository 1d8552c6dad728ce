import type { Connection, PublicPort } from '../host/public-port.js'

export type { Connection } from '../host/public-port.js'

/** Somebody who takes connections. */
export interface ConnectionTaker {
  /**
   * @param undelivered called when it could not be handed over after all
   * @returns false when that is known at once
   */
  give(connection: Connection, undelivered: () => void): boolean
}

/** How a connection is answered that cannot wait, or not any longer. */
export type Refuse = (connection: Connection, code: 'NO_TARGET_READY' | 'WAITING_ROOM_FULL') => void

/** The kernel's own queue, in front of the one here. */
const BACKLOG = 511
/** As many and as long as requests wait at a balancer. */
const MAX_WAITING = 1_024
const MAX_WAIT_MS = 10_000

interface Waiting {
  connection: Connection
  /** In the clock of `performance.now()`. */
  until: number
}

/**
 * Mesh mode: accepts on the public port and deals the connections out in turn, as node:cluster's own round robin
 * does, with two differences: only workers that are ready are dealt to, and while there is none the connections wait
 * here instead of being refused. Not a byte of a connection is looked at in this process.
 */
export class ConnectionDealer {
  #waiting: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  #takers: readonly ConnectionTaker[] = []
  #turn = 0

  constructor(
    private readonly publicPort: PublicPort,
    private readonly refuse: Refuse,
    /** How many of this process's open files connections that are held here may use. */
    private readonly openFiles: () => number = () => Infinity,
  ) {}

  /** @throws {PortError} another program began to listen since the port was bound */
  start(): void {
    const { handle } = this.publicPort
    handle.onconnection = (error, connection) => {
      if (error !== 0) return
      // The kernel gives out the lowest number that is free. An answer would keep it for longer.
      if (connection.fd >= this.openFiles()) connection.close()
      else this.#deal({ connection, until: performance.now() + MAX_WAIT_MS })
    }
    const error = handle.listen(BACKLOG)
    if (error !== 0) throw this.publicPort.lost(error)
  }

  /** Those that connections are dealt to from now on. */
  setTakers(takers: readonly ConnectionTaker[]): void {
    this.#takers = takers
    if (takers.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    clearTimeout(this.#timer)
    for (const each of waiting) this.#deal(each)
  }

  stop(): void {
    this.#takers = []
    clearTimeout(this.#timer)
    for (const { connection } of this.#waiting.splice(0)) connection.close()
  }

  #deal(arrival: Waiting): void {
    const again = (): void => this.#deal(arrival)
    // Each of them once: that one has gone is known here before the list is made anew.
    for (let untried = this.#takers.length; untried > 0; untried--) {
      const taker = this.#takers[this.#turn % this.#takers.length]
      this.#turn += 1
      if (taker?.give(arrival.connection, again) === true) return
    }
    this.#wait(arrival)
  }

  #wait(arrival: Waiting): void {
    if (this.#waiting.length >= MAX_WAITING) this.#forgetTheGone()
    if (this.#waiting.length >= MAX_WAITING) {
      this.refuse(arrival.connection, 'WAITING_ROOM_FULL')
      return
    }
    // One that a worker died with has waited since before the others came.
    const place = this.#waiting.findLastIndex(({ until }) => until <= arrival.until) + 1
    this.#waiting.splice(place, 0, arrival)
    if (place === 0) this.#refuseInTime()
  }

  /** A client that has merely said its last word is told apart from one that waits for the answer by nobody. */
  #forgetTheGone(): void {
    const gone = ({ connection }: Waiting): boolean => connection.getpeername({}) !== 0
    for (const { connection } of this.#waiting.filter(gone)) connection.close()
    this.#waiting = this.#waiting.filter(each => !gone(each))
  }

  #refuseInTime(): void {
    clearTimeout(this.#timer)
    const now = performance.now()
    const late = this.#waiting.findIndex(({ until }) => until > now)
    for (const { connection } of this.#waiting.splice(0, late < 0 ? this.#waiting.length : late)) {
      this.refuse(connection, 'NO_TARGET_READY')
    }
    const [first] = this.#waiting
    if (first !== undefined) this.#timer = setTimeout(() => this.#refuseInTime(), first.until - now + 1)
  }
}
