import type { Server } from 'node:net'

/** The address that a server reports. */
export interface Address {
  address: string
  family: string
  port: number
}

/** The listener that Node's server puts on its handle. It takes an accepted connection. */
type OnConnection = (status: number, connection: object) => void

/** The part of a server that Node keeps to itself. */
interface Internals {
  _handle: unknown
  _listen2(address: null, port: number | null, addressType: number | null, backlog: number, fd: number): void
}

/**
 * A handle that a server of the app listens with in place of an open socket, as node:cluster gives to a server whose
 * connections the primary accepts. All that the server says about itself (`listening`, `address`, `close`) follows.
 */
export class AppHandle {
  /** Set by Node as soon as the server listens. */
  onconnection: OnConnection | undefined
  #closed = false

  private constructor(
    readonly server: Server,
    private readonly address: Address,
    private readonly onClose: (handle: AppHandle) => void,
  ) {}

  /**
   * Makes a server listen. The event comes in the next tick, as usual.
   * @param onClose called when the server is closed
   */
  static listen(server: Server, address: Address, onClose: (handle: AppHandle) => void): AppHandle {
    const handle = new AppHandle(server, address, onClose)
    const internals = server as unknown as Internals
    internals._handle = handle
    internals._listen2(null, -1, -1, 0, -1)
    return handle
  }

  /** Hands a connection to the server, as if it had been accepted here. */
  deliver(connection: object): void {
    this.onconnection?.(0, connection)
  }

  listen(): number {
    return 0
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.onClose(this)
  }

  ref(): void {
    // Other handles keep the process running.
  }

  unref(): void {
    // See `ref`.
  }

  getsockname(address: Partial<Address>): number {
    Object.assign(address, this.address)
    return 0
  }
}

/** Has a server listen by a file of this process. In a cluster worker Node would take that of the primary by this number. */
export function listenByDescriptor(server: Server, fd: number): void {
  ;(server as unknown as Internals)._listen2(null, null, null, 0, fd)
}
