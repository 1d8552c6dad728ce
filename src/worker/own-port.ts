import { errorMonitor, type EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import { bySideDoor } from './side-door.js'

/** A handle that Node's server listens with. */
interface Handle {
  onconnection: OnConnection
  close(): void
}

type OnConnection = (this: Handle, status: number, connection: object) => void

/** The part of a server that Node keeps to itself. */
interface Internals {
  _handle: Handle | null
}

/**
 * A server of the app on a port other than the public one, where Node has it listen as under node:cluster. Beside that
 * it may be made public.
 */
export class OwnPort {
  #accept: OnConnection | undefined
  #closed = false

  /**
   * @param port as the app asked for it
   * @param onClose called when the server is closed, or could not listen
   */
  constructor(
    readonly server: Server,
    readonly port: number,
    onClose: (port: OwnPort) => void,
  ) {
    // Until it is decided what is public, this server is nothing that the app waits for.
    server.unref()
    server.once('listening', () => this.#watch())
    const closed = (): void => {
      if (this.#closed) return
      this.#closed = true
      onClose(this)
    }
    server.once('close', closed)
    // Node does not take this for a listener that handles the error.
    const emitter: EventEmitter = server
    emitter.once(errorMonitor, () => {
      if (!server.listening) closed()
    })
  }

  /** It is decided what is public. The server keeps the app running from now on, as under node. */
  settle(): void {
    if (!this.#closed) this.server.ref()
  }

  /** Hands a connection to the server, as if it had been accepted on the public port. */
  deliver(connection: object): void {
    const handle = this.#handle
    // A port that the primary opens comes later.
    if (handle === null) this.server.once('listening', () => this.deliver(connection))
    else (this.#accept ?? handle.onconnection).call(handle, 0, connection)
  }

  /** Accepts no more on its own port. The app's server does not notice. */
  retire(): void {
    this.#handle?.close()
  }

  get #handle(): Handle | null {
    return (this.server as unknown as Internals)._handle
  }

  /** Marks connections that come to this port. */
  #watch(): void {
    const handle = this.#handle
    if (handle === null) return
    const { server } = this
    const accept = handle.onconnection
    this.#accept = accept
    handle.onconnection = function (this: Handle, status, connection) {
      bySideDoor(server, () => accept.call(this, status, connection))
    }
  }
}
