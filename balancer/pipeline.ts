import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Requests that clients have sent ahead of the answers to their earlier ones (RFC 9112, section 9.3.2). Each begins
 * when its turn on its connection has come: begun at once, those of one client would take the places of all others.
 */
export class Pipeline {
  #size = 0
  readonly #lines = new WeakMap<Socket, { waiting: number }>()

  /** @param limit how many may wait, over all connections */
  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#size
  }

  /** Whether there is an earlier answer that this one has to wait for. */
  static isBehind(response: ServerResponse): boolean {
    return response.socket === null
  }

  /**
   * Calls `begin` in its turn, or never when the connection ends before.
   * @returns false when too many wait already
   */
  enter({ socket }: IncomingMessage, response: ServerResponse, begin: () => void): boolean {
    if (this.#size >= this.limit) return false
    const line = this.#lines.get(socket) ?? this.#begunOn(socket)
    line.waiting += 1
    this.#size += 1
    response.once('socket', () => {
      if (socket.destroyed) return
      line.waiting -= 1
      this.#size -= 1
      begin()
    })
    return true
  }

  /** A response whose turn has not come does not hear of the end of its connection. */
  #begunOn(socket: Socket): { waiting: number } {
    const line = { waiting: 0 }
    this.#lines.set(socket, line)
    socket.once('close', () => (this.#size -= line.waiting))
    return line
  }
}
