import type { Socket } from 'node:net'

/** Counts the open files (descriptors) of connections before the system runs out of them. */
export class OpenFiles {
  #toTargets = 0

  /**
   * @param limit for connections of clients and to targets together
   * @param places how many requests may wait for answers at once; each needs a connection to its target
   */
  constructor(
    private readonly limit = Infinity,
    private readonly places: () => number = () => 0,
  ) {}

  /** How many connections of clients may be open. Some files are always left for the connections to targets. */
  get forClients(): number {
    const kept = Math.min(this.places(), Math.floor(this.limit / SHARE_OF_TARGETS))
    return this.limit - Math.max(this.#toTargets, kept)
  }

  /** Whether one more connection to a target can be opened. @param clients open connections of clients */
  hasRoom(clients: number): boolean {
    return clients + this.#toTargets < this.limit
  }

  /** The open connections to targets. */
  get toTargets(): number {
    return this.#toTargets
  }

  /** Counts a connection to a target until it closes. */
  count<T extends Socket>(socket: T): T {
    this.#toTargets += 1
    socket.on('close', this.#closed)
    return socket
  }

  /** One function for all sockets; it is called once for each. */
  readonly #closed = (): void => void (this.#toTargets -= 1)
}

const SHARE_OF_TARGETS = 3
