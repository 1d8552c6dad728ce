import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * The open connections of the control API, which are few. Anybody on this machine can connect to a port, so when the
 * limit is reached, the oldest on which no request was let in is closed for a new one.
 */
export class ControlConnections {
  readonly #strangers = new Set<Socket>()
  readonly #admitted = new Set<Socket>()

  constructor(
    server: Server,
    private readonly most: number,
  ) {
    server.on('connection', (socket: Socket) => this.#arrived(socket))
  }

  /** A request on this connection was let in. */
  admit(socket: Socket): void {
    if (this.#strangers.delete(socket)) this.#admitted.add(socket)
  }

  #arrived(socket: Socket): void {
    if (this.#strangers.size + this.#admitted.size >= this.most && !this.#closeStranger()) {
      socket.destroy()
      return
    }
    this.#strangers.add(socket)
    socket.once('close', () => {
      this.#strangers.delete(socket)
      this.#admitted.delete(socket)
    })
  }

  #closeStranger(): boolean {
    const [oldest] = this.#strangers
    if (oldest === undefined) return false
    this.#strangers.delete(oldest)
    oldest.destroy()
    return true
  }
}
