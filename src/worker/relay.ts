import net, { type Server } from 'node:net'
import { inListenContext } from './listen-context.js'

/** The listening part of a server that Node keeps to itself. */
interface Accepting {
  _handle: { onconnection: (status: number, connection: Closable) => void } | null
}

interface Closable {
  close(): void
}

type Listen = (this: Server, ...args: unknown[]) => Server

/** The receiver of the connections that a relay accepts: a server of the app. */
export interface Receiver {
  readonly server: Server
  deliver(connection: object): void
}

/** The worker's socket, which the balancers connect to. Its connections are delivered to the app's server. */
export class Relay {
  readonly #server = net.createServer()
  /** Resolves when connections are accepted, or never will be. */
  readonly opened: Promise<void>

  constructor(
    path: string,
    listen: Listen,
    private readonly receiver: () => Receiver | undefined,
  ) {
    this.opened = new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.once('listening', resolve)
      this.#server.once('close', resolve)
    })
    // Exclusive: in a cluster worker any other listen would be made by the primary.
    listen.call(this.#server, { path, exclusive: true })
    this.#accept()
  }

  close(): void {
    if (this.#server.listening) this.#server.close()
  }

  /** The server's own way of accepting is replaced. */
  #accept(): void {
    const { _handle: handle } = this.#server as unknown as Accepting
    if (handle === null) return
    handle.onconnection = (status, connection) => {
      const receiver = status === 0 ? this.receiver() : undefined
      if (receiver === undefined) connection.close()
      else inListenContext(receiver.server, () => receiver.deliver(connection))
    }
  }
}
