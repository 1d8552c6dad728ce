import type { Socket } from 'node:net'
import { ChunkRate } from './chunk-rate.js'
import { Holding, type SharedResource } from './holding.js'

/** The resources that all clients share. */
export interface SharedResources {
  connections: SharedResource
  places: SharedResource
  polls: SharedResource
  parsedBytes: SharedResource
  heldBytes: SharedResource
}

/** The holdings of one client: an IPv4 address, or an IPv6 /64. */
export class ClientAccount {
  readonly connections: Holding
  /** Connections of trusted proxies that are in use for this client. */
  readonly carried: Holding
  /** The same, the oldest first. */
  readonly carriedSockets = new Set<Socket>()
  /** Requests at targets that wait for their answers. */
  readonly places: Holding
  /** Requests that belong to a session at one target; most are long polls. */
  readonly polls: Holding
  /** Requests that were parsed and wait for their turn on their connection. */
  readonly parsedBytes: Holding
  /** Bodies in memory that can be sent again. */
  readonly heldBytes: Holding
  readonly tinyChunks: ChunkRate
  /** Upgraded connections. */
  upgraded = 0
  /** Its open connections, the one that was looked at last at the end. */
  readonly #sockets = new Set<Socket>()
  /** The open connections that pass nothing on to the kernel. */
  readonly #held = new Set<Socket>()
  #holdsAnswers = false

  constructor(
    readonly client: string,
    resources: SharedResources,
    /** Called when it may have no more of this. */
    onReached: (resource: string) => void = () => undefined,
  ) {
    this.tinyChunks = new ChunkRate(() => onReached('chunks of a few bytes'))
    this.connections = new Holding(client, resources.connections)
    this.carried = new Holding(client, resources.connections)
    this.places = new Holding(client, resources.places)
    this.polls = new Holding(client, resources.polls)
    this.parsedBytes = new Holding(client, resources.parsedBytes)
    this.heldBytes = new Holding(client, resources.heldBytes)
  }

  get sockets(): ReadonlySet<Socket> {
    return this.#sockets
  }

  connected(socket: Socket): void {
    this.connections.add()
    this.#sockets.add(socket)
    if (this.#holdsAnswers) this.#hold(socket)
  }

  disconnected(socket: Socket): void {
    this.#sockets.delete(socket)
    this.#held.delete(socket)
    this.connections.release()
  }

  /** Moves a connection to the end. */
  lookedAt(socket: Socket): void {
    this.#sockets.delete(socket)
    this.#sockets.add(socket)
  }

  /**
   * Holds back the bytes that are written to its connections, so that writers have to wait.
   * @param free connections that are not held
   * @param withNew new connections are held as well
   */
  holdAnswers(free: ReadonlySet<Socket>, withNew: boolean): void {
    this.#holdsAnswers = withNew
    for (const socket of this.#sockets) {
      if (free.has(socket)) this.#release(socket)
      else this.#hold(socket)
    }
  }

  /** How long each is held is in this order, the longest first. */
  get heldSockets(): Iterable<Socket> {
    return this.#held
  }

  /** Passes on what has been written to a held connection, and goes on holding it. */
  passOn(socket: Socket): void {
    if (!this.#held.has(socket)) return
    socket.uncork()
    socket.cork()
  }

  releaseAnswers(): void {
    this.#holdsAnswers = false
    for (const socket of this.#held) this.#release(socket)
  }

  #hold(socket: Socket): void {
    if (this.#held.has(socket)) return
    this.#held.add(socket)
    socket.cork()
  }

  #release(socket: Socket): void {
    if (this.#held.delete(socket)) socket.uncork()
  }

  /** It holds nothing, so it can be forgotten. */
  get isEmpty(): boolean {
    if (this.#holdsAnswers) return false
    const { connections, carried, places, polls, parsedBytes, heldBytes, upgraded } = this
    const held = connections.held + carried.held + places.held + polls.held
    return held + parsedBytes.held + heldBytes.held + upgraded === 0
  }
}
