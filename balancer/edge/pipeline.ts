import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Requests that clients have sent ahead of the answers to their earlier ones (RFC 9112, section 9.3.2). Each begins
 * when its turn on its connection has come: begun at once, those of one client would take the places of all others.
 */
export class Pipeline {
  #size = 0
  readonly #lines = new WeakMap<Socket, { waiting: number }>()

  /**
   * @param ofOne how many may wait on one connection
   * @param ofAll and how many on all of them
   */
  constructor(
    private readonly ofOne: number,
    private readonly ofAll: number,
  ) {}

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
    const line = this.#lines.get(socket) ?? this.#begunOn(socket)
    if (line.waiting >= this.ofOne || this.#size >= this.ofAll) return false
    line.waiting += 1
    this.#size += 1
    const itsTurn = (): void => {
      if (socket.destroyed) return
      line.waiting -= 1
      this.#size -= 1
      begin()
    }
    // Not at once: Node sends what has been written so far when all have heard of it.
    response.once('socket', () => process.nextTick(itsTurn))
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
