import type { PublicPort } from './public-port.js'

/** An accepted connection, not read from yet. */
export interface Connection {
  close(): void
}

/** Somebody who takes connections. */
export interface ConnectionTaker {
  /**
   * @param undelivered called when it could not be handed over after all
   * @returns false when that is known at once
   */
  give(connection: Connection, undelivered: () => void): boolean
}

const BACKLOG = 511

/**
 * Mesh mode: accepts on the public port and deals the connections out in turn, as node:cluster's own round robin
 * does, with two differences: only workers that are ready are dealt to, and while there is none the connections wait
 * here instead of being refused. Not a byte of a connection is read in this process.
 */
export class ConnectionDealer {
  #waiting: Connection[] = []
  #takers: readonly ConnectionTaker[] = []
  #turn = 0

  constructor(private readonly publicPort: PublicPort) {}

  /** @throws {PortError} another program began to listen since the port was bound */
  start(): void {
    const { handle } = this.publicPort
    handle.onconnection = (error, connection) => {
      if (error === 0) this.#deal(connection)
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
    for (const connection of waiting) this.#deal(connection)
  }

  stop(): void {
    this.#takers = []
    for (const connection of this.#waiting.splice(0)) connection.close()
  }

  #deal(connection: Connection): void {
    const again = (): void => this.#deal(connection)
    // Each of them once: that one has gone is known here before the list is made anew.
    for (let untried = this.#takers.length; untried > 0; untried--) {
      const taker = this.#takers[this.#turn % this.#takers.length]
      this.#turn += 1
      if (taker?.give(connection, again) === true) return
    }
    if (this.#waiting.length < BACKLOG) this.#waiting.push(connection)
    else connection.close()
  }
}
