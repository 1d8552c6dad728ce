import type { Connection } from '../host/bound-handle.js'
import { clientOf } from '../host/client-of.js'

interface Given {
  readonly connection: Connection
  /** To be called if the process does not take it. */
  readonly undelivered: () => void
}

/**
 * Connections on their way to one process. A channel of Node passes one at a time, and a process that is busy takes one in
 * each turn of its event loop. So clients take turns, or one with a hundred connections would hold up all others for as
 * many turns.
 */
export class ConnectionTurns {
  #passed: Given | undefined
  /** By client, in the order of their turns. */
  readonly #lines = new Map<string, Given[]>()

  constructor(private readonly pass: (connection: Connection) => void) {}

  add(connection: Connection, undelivered: () => void): void {
    const given = { connection, undelivered }
    if (this.#passed === undefined) {
      this.#pass(given)
      return
    }
    const client = clientOf(connection)
    const line = this.#lines.get(client)
    if (line === undefined) this.#lines.set(client, [given])
    else line.push(given)
  }

  /** Whether the process has not taken all that it was given. */
  get areWaiting(): boolean {
    return this.#passed !== undefined
  }

  /** The process has taken the one that was passed to it. */
  taken(): void {
    this.#passed?.connection.close()
    this.#passed = undefined
    const [next] = this.#lines
    if (next === undefined) return
    const [client, line] = next
    const given = line.shift()
    this.#lines.delete(client)
    if (line.length > 0) this.#lines.set(client, line)
    if (given !== undefined) this.#pass(given)
  }

  /** The process is to get no more: those that were not passed to it go elsewhere. */
  sendBack(): void {
    const lines = [...this.#lines.values()]
    this.#lines.clear()
    for (const { undelivered } of lines.flat()) undelivered()
  }

  /** The process has ended. */
  sendAllBack(): void {
    const passed = this.#passed
    this.#passed = undefined
    passed?.undelivered()
    this.sendBack()
  }

  #pass(given: Given): void {
    this.#passed = given
    this.pass(given.connection)
  }
}
