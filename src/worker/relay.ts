import net, { type Server } from 'node:net'
import { noteSideDoor } from './side-door.js'
import type { AppHandle } from './app-handle.js'

/** The listening part of a server that Node keeps to itself. */
interface Accepting {
  _handle: { onconnection: (status: number, connection: Closable) => void } | null
}

interface Closable {
  close(): void
}

type Listen = (this: Server, ...args: unknown[]) => Server

/** An open socket whose connections are delivered to a server of the app. */
export class Relay {
  readonly #server = net.createServer()
  /** Resolves when connections are accepted, or never will be. */
  readonly opened: Promise<void>

  private constructor(
    listen: Listen,
    args: readonly unknown[],
    private readonly receiver: () => AppHandle | undefined,
  ) {
    this.opened = new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.once('listening', () => {
        this.#accept()
        resolve()
      })
      this.#server.once('close', resolve)
    })
    listen.apply(this.#server, [...args])
    this.#accept()
  }

  /** The worker's socket, which the balancers connect to. */
  static atSocket(path: string, listen: Listen, receiver: () => AppHandle | undefined): Relay {
    // Exclusive: in a cluster worker any other listen would be made by the primary.
    return new Relay(listen, [{ path, exclusive: true }], receiver)
  }

  /** A port of the app's own, as it asked for it. Errors are those of the app's server. */
  static sideDoor(target: AppHandle, listen: Listen, args: readonly unknown[]): Relay {
    const asked = args.filter(argument => typeof argument !== 'function')
    const relay = new Relay(listen, asked, () => noteSideDoor(target))
    relay.opened.then(
      () => (target.address = relay.#server.address() as AppHandle['address']),
      (error: unknown) => target.server.emit('error', error),
    )
    return relay
  }

  close(): void {
    if (this.#server.listening) this.#server.close()
  }

  /** The server's own way of accepting is replaced. A port that the primary opens has its handle later. */
  #accept(): void {
    const { _handle: handle } = this.#server as unknown as Accepting
    if (handle === null) return
    handle.onconnection = (status, connection) => {
      const receiver = status === 0 ? this.receiver() : undefined
      if (receiver === undefined) connection.close()
      else receiver.deliver(connection)
    }
  }
}
