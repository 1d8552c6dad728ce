import type { Socket } from 'node:net'
import type { BalancerOptions } from '../options.js'
import { PacedClient } from './paced-client.js'
import type { OpenConnection, Reader } from './reader.js'

/** How often the event loop is looked at, and how late it is then if one turn of it takes too long. */
const CHECK_MS = 50
const LATE_MS = 25
/** A client that sends less than this from one look to the next is not the reason. */
const MUCH_BYTES = 256 * 1024
/** A client is paced for this long after it last had to wait. */
const PACED_MS = 60_000

/** The open connections, and the client at the other end of each. */
export interface Readings {
  sockets(): Iterable<Socket>
  readerOf(socket: Socket): OpenConnection | undefined
}

/**
 * Makes the connections of a client take turns when its bytes keep the event loop busy. Node's parser takes up to two
 * megabytes of each connection in one turn of the loop, and tells nobody of line breaks or of extensions of chunks. Fifty
 * connections that are filled with these as fast as a local one goes held up everybody else by a second.
 */
export class ReadTurns {
  readonly #paced = new Map<string, PacedClient>()
  /** The bytes read from each connection at the last look. Undefined while the event loop is in time. */
  #seen: Map<Socket, number> | undefined
  #ofClosed = new Map<string, number>()
  #lookedAt = 0
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly connections: Readings,
    private readonly options: Pick<BalancerOptions, 'upgradedInTurns'>,
    private readonly clock = (): number => performance.now(),
  ) {}

  start(): void {
    this.#lookedAt = this.clock()
    this.#timer ??= setInterval(() => this.check(), CHECK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Looks whether the event loop is late, and if it is late again, which clients have sent much meanwhile. */
  check(): void {
    const now = this.clock()
    const lateMs = now - this.#lookedAt - CHECK_MS
    this.#lookedAt = now
    for (const [client, paced] of this.#paced) if (now - paced.waitedAt > PACED_MS) this.#end(client, paced)
    if (lateMs < LATE_MS) {
      this.#seen = undefined
      if (this.#ofClosed.size > 0) this.#ofClosed = new Map()
      return
    }
    const bytes = this.#readSinceLastLook()
    // A client that is alone delays nobody else.
    if (bytes.size < 2) return
    for (const [client, count] of bytes) if (count >= MUCH_BYTES) this.#pace(client, now)
  }

  /** The server reads requests from this connection from now on. */
  served(socket: Socket, connection: OpenConnection): void {
    this.#paced.get(connection.account.client)?.pace(socket, connection)
  }

  /** The connection belongs to another protocol from now on. */
  upgraded(socket: Socket, { account }: Reader): void {
    if (!this.options.upgradedInTurns) this.#paced.get(account.client)?.release(socket)
  }

  /** A connection has closed. */
  left(socket: Socket, { account: { client } }: Reader): void {
    this.#paced.get(client)?.left(socket)
    if (this.#seen === undefined) return
    const bytes = socket.bytesRead - (this.#seen.get(socket) ?? 0)
    this.#ofClosed.set(client, (this.#ofClosed.get(client) ?? 0) + bytes)
  }

  /** For each client. Nothing at the first look: it is not known what was there before. */
  #readSinceLastLook(): Map<string, number> {
    const before = this.#seen
    const bytes = this.#ofClosed
    const seen = new Map<Socket, number>()
    for (const socket of this.connections.sockets()) {
      const client = this.connections.readerOf(socket)?.account.client
      if (client === undefined) continue
      const { bytesRead } = socket
      seen.set(socket, bytesRead)
      const since = before === undefined ? 0 : bytesRead - (before.get(socket) ?? 0)
      bytes.set(client, (bytes.get(client) ?? 0) + since)
    }
    this.#seen = seen
    this.#ofClosed = new Map()
    return bytes
  }

  #pace(client: string, now: number): void {
    if (this.#paced.has(client)) return
    const paced = new PacedClient(now, this.clock)
    this.#paced.set(client, paced)
    for (const socket of this.connections.sockets()) {
      const connection = this.connections.readerOf(socket)
      if (connection?.account.client !== client) continue
      if (!connection.isUpgraded || this.options.upgradedInTurns) paced.pace(socket, connection)
    }
  }

  #end(client: string, paced: PacedClient): void {
    this.#paced.delete(client)
    paced.end()
  }
}
