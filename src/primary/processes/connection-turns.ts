import type { Connection } from '../host/bound-handle.js'
import { clientOf, giverFor } from '../host/client-of.js'

/** As many as the kernel's own queue holds for a process that accepts by itself. */
const LIMIT = 4_096

interface Given {
  readonly connection: Connection
  /** To be called if the process does not take it. */
  readonly undelivered: () => void
}

/**
 * Connections on their way to one process. A channel of Node passes one at a time, and a process that is busy takes one in
 * each turn of its event loop. So clients take turns, or one with a hundred connections would hold up all others for as
 * many turns.
 *
 * A client can connect faster than a process takes connections. So their number is bounded: the client with most of them loses
 * one to a client with fewer. What its client has reset is not passed on at all.
 */
export class ConnectionTurns {
  #passed: Given | undefined
  /** By client, in the order of their turns. */
  readonly #lines = new Map<string, Given[]>()
  #size = 0

  constructor(
    private readonly pass: (connection: Connection) => void,
    private readonly limit = LIMIT,
  ) {}

  add(connection: Connection, undelivered: () => void): void {
    const given = { connection, undelivered }
    if (this.#passed === undefined) {
      this.#pass(given)
      return
    }
    const client = clientOf(connection)
    // It is closed unanswered: an answer would keep it open longer.
    const tooMany = this.#size < this.limit ? undefined : (this.#pushOut(client) ?? connection)
    tooMany?.close()
    if (tooMany === connection) return
    const line = this.#lines.get(client)
    if (line === undefined) this.#lines.set(client, [given])
    else line.push(given)
    this.#size += 1
  }

  /** Gives up the newest connection of the client with most, if this connection's client has fewer. */
  pushOutFor(connection: Connection): Connection | undefined {
    return this.#pushOut(clientOf(connection))
  }

  /** Whether the process has not taken all that it was given. */
  get areWaiting(): boolean {
    return this.#passed !== undefined
  }

  /** The process has taken the one that was passed to it. */
  taken(): void {
    this.#passed?.connection.close()
    this.#passed = undefined
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (next.connection.getpeername({}) === 0) return this.#pass(next)
      next.connection.close()
    }
  }

  /** The process is to get no more: those that were not passed to it go elsewhere. */
  sendBack(): void {
    const lines = [...this.#lines.values()]
    this.#lines.clear()
    this.#size = 0
    for (const { undelivered } of lines.flat()) undelivered()
  }

  /** The process has ended. */
  sendAllBack(): void {
    const passed = this.#passed
    this.#passed = undefined
    passed?.undelivered()
    this.sendBack()
  }

  /** Takes out the connection whose turn it is. */
  #next(): Given | undefined {
    const [next] = this.#lines
    if (next === undefined) return undefined
    const [client, line] = next
    const given = line.shift()
    this.#lines.delete(client)
    if (line.length > 0) this.#lines.set(client, line)
    this.#size -= 1
    return given
  }

  #pushOut(client: string): Connection | undefined {
    const giver = giverFor(client, this.#lines, ({ length }) => length)
    if (giver === undefined) return undefined
    const line = this.#lines.get(giver) ?? []
    const given = line.pop()
    if (line.length === 0) this.#lines.delete(giver)
    this.#size -= 1
    return given?.connection
  }

  #pass(given: Given): void {
    this.#passed = given
    this.pass(given.connection)
  }
}
