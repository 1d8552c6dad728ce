import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Holds pipelined requests, which clients send before the answers to their earlier ones (RFC 9112, section 9.3.2).
 * Each begins when its turn on the connection has come. Otherwise one client could take the places of all others.
 */
export class Pipeline {
  #size = 0
  readonly #lines = new WeakMap<Socket, { waiting: number }>()

  /**
   * @param ofOne how many may wait on one connection
   * @param ofAll how many may wait on all connections together
   */
  constructor(
    private readonly ofOne: number,
    private readonly ofAll: number,
  ) {}

  get size(): number {
    return this.#size
  }

  /** Whether this answer has to wait for an earlier one. */
  static isBehind(response: ServerResponse): boolean {
    return response.socket === null
  }

  /**
   * Calls `begin` when the turn of this request has come, or never if the connection ends first.
   * @returns false if too many requests are waiting
   */
  enter({ socket }: IncomingMessage, response: ServerResponse, begin: () => void): boolean {
    const line = this.#lines.get(socket) ?? this.#begunOn(socket)
    if (line.waiting >= this.ofOne || this.#size >= this.ofAll) return false
    line.waiting += 1
    this.#size += 1
    const onTurn = (): void => {
      if (socket.destroyed) return
      line.waiting -= 1
      this.#size -= 1
      begin()
    }
    // Later, because Node sends what was written so far after all listeners have run.
    response.once('socket', () => process.nextTick(onTurn))
    return true
  }

  /** A waiting response gets no close event, so the connection is watched. */
  #begunOn(socket: Socket): { waiting: number } {
    const line = { waiting: 0 }
    this.#lines.set(socket, line)
    socket.once('close', () => (this.#size -= line.waiting))
    return line
  }
}
