import type { Connection } from '../host/bound-handle.js'
import { clientOf, giverFor } from '../host/client-of.js'

/** A connection that waits for a process that takes it. */
export interface WaitingConnection {
  readonly connection: Connection
  /** In the clock of `performance.now()`. */
  readonly until: number
}

interface PlaceInLine extends WaitingConnection {
  readonly client: string
}

/** The largest share of time for the search for connections whose clients have left, since it asks the kernel about each. */
const BUSY = 0.05

/**
 * A bounded number of connections that wait, the oldest first. Nobody is refused while there is room. When there is none,
 * the client with the most connections gives one up for a client with fewer, as in the waiting room of a balancer.
 */
export class WaitingConnections {
  #places: PlaceInLine[] = []
  readonly #ofClient = new Map<string, number>()
  #lookAgainAt = -Infinity

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#places.length
  }

  get first(): WaitingConnection | undefined {
    return this.#places[0]
  }

  /** @returns the connection that is to be refused, which may be this one */
  add({ connection, until }: WaitingConnection): Connection | undefined {
    const place = { connection, until, client: clientOf(connection) }
    if (this.size >= this.limit) this.#forgetTheGone()
    const pushedOut = this.size < this.limit ? undefined : this.#pushOut(place.client)
    if (this.size >= this.limit) return connection
    // A connection that came back from a worker that exited is older than the others.
    const index = this.#places.findLastIndex(each => each.until <= until) + 1
    this.#places.splice(index, 0, place)
    this.#count(place.client, 1)
    return pushedOut
  }

  /** Gives up a connection of the client with the most, if this connection's client has fewer. */
  pushOutFor(connection: Connection): Connection | undefined {
    return this.#pushOut(clientOf(connection))
  }

  /** Takes all out. */
  takeAll(): WaitingConnection[] {
    this.#ofClient.clear()
    return this.#places.splice(0)
  }

  /** Takes out those that have waited long enough. */
  takeLate(now: number): WaitingConnection[] {
    const inTime = this.#places.findIndex(({ until }) => until > now)
    const late = this.#places.splice(0, inTime < 0 ? this.size : inTime)
    for (const { client } of late) this.#count(client, -1)
    return late
  }

  #pushOut(client: string): Connection | undefined {
    const giver = giverFor(client, this.#ofClient, held => held)
    if (giver === undefined) return undefined
    const [newest] = this.#places.splice(
      this.#places.findLastIndex(place => place.client === giver),
      1,
    )
    this.#count(giver, -1)
    return newest?.connection
  }

  /** Removes connections that their clients have reset. A client that has only closed its own direction stays. */
  #forgetTheGone(): void {
    const begun = performance.now()
    if (begun < this.#lookAgainAt) return
    const gone = new Set(this.#places.filter(({ connection }) => connection.getpeername({}) !== 0))
    for (const { connection, client } of gone) {
      connection.close()
      this.#count(client, -1)
    }
    if (gone.size > 0) this.#places = this.#places.filter(place => !gone.has(place))
    const now = performance.now()
    this.#lookAgainAt = now + (now - begun) / BUSY
  }

  #count(client: string, change: number): void {
    const held = (this.#ofClient.get(client) ?? 0) + change
    if (held > 0) this.#ofClient.set(client, held)
    else this.#ofClient.delete(client)
  }
}
