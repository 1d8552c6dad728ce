import type { Socket } from 'node:net'
import { responseInProgress } from './connection-refusals.js'
import type { OpenConnection } from './reader.js'

type Paced = Pick<OpenConnection, 'isProxy' | 'isUpgraded'>

const DIRECT: Paced = { isProxy: false, isUpgraded: false }

/** How long what one client sends may be worked on before others have as long, in milliseconds. */
const TURN_MS = 4
/** It waits no longer than this for a time that it has spent. */
const MOST_DEBT_MS = 1_000
/** The share of the last piece in the average time for one. */
const WEIGHT = 0.1
/** This many line breaks between two requests are no mistake of a client. */
const MANY_BREAKS = 1_024

/**
 * The connections of one client, which take turns. Once what they have sent has taken its time, no more is read from them
 * for as long, and then each goes on in the order in which it came to wait.
 */
export class PacedClient {
  readonly #connections = new Map<Socket, PacedConnection>()
  readonly #line: PacedConnection[] = []
  #spentMs = 0
  #averageMs = 0
  #isScheduled = false

  /** @param waitedAt when it had to wait last */
  constructor(
    public waitedAt: number,
    private readonly clock: () => number,
  ) {}

  /** @param connection if it is of a proxy, it carries requests of many clients, of which none may wait for the others */
  pace(socket: Socket, connection = DIRECT): void {
    if (this.#connections.has(socket) || socket.destroyed) return
    this.#connections.set(socket, new PacedConnection(socket, this, connection))
  }

  /** From now on, bytes of this connection are read as they come. */
  release(socket: Socket): void {
    this.#connections.get(socket)?.release()
    this.#connections.delete(socket)
  }

  left(socket: Socket): void {
    this.#connections.delete(socket)
  }

  end(): void {
    for (const socket of [...this.#connections.keys()]) this.release(socket)
  }

  /** Passes on a piece that one of its connections has read. @returns what that returns */
  spend(pass: () => boolean): boolean {
    const begun = this.clock()
    const result = pass()
    const ms = this.clock() - begun
    this.#spentMs += ms
    this.#averageMs += WEIGHT * (ms - this.#averageMs)
    this.#schedule()
    return result
  }

  get hasToWait(): boolean {
    return this.#line.length > 0 || this.#spentMs >= TURN_MS
  }

  wait(connection: PacedConnection): void {
    this.hold()
    this.#line.push(connection)
  }

  /** One of its connections is read no further. */
  hold(): void {
    this.waitedAt = this.clock()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setTimeout(() => this.#nextTurn(), TURN_MS)
  }

  #nextTurn(): void {
    this.#isScheduled = false
    // A piece may take as long as several turns.
    this.#spentMs = Math.max(0, Math.min(this.#spentMs, MOST_DEBT_MS) - TURN_MS)
    if (this.#spentMs >= TURN_MS) return this.#schedule()
    const count = Math.max(1, Math.floor(TURN_MS / this.#averageMs))
    for (const connection of this.#line.splice(0, count)) connection.goOn()
    if (this.#line.length > 0) this.#schedule()
  }
}

/** `push` and `_read` are what a stream has for its source: the source here is the system, held back in between. */
class PacedConnection {
  readonly #push: (chunk: unknown) => boolean
  readonly #read: (size: number) => void
  #waits = false
  #isReleased = false
  /** The server asks for more. */
  #wanted: number | undefined

  constructor(
    private readonly socket: Socket,
    private readonly client: PacedClient,
    private readonly connection: Paced,
  ) {
    // Node's parser reads from the system by itself until somebody else listens.
    socket.on('data', nothing).off('data', nothing)
    this.#push = socket.push.bind(socket)
    this.#read = socket._read.bind(socket)
    socket.push = (chunk: unknown) => this.#arrived(chunk)
    socket._read = size => {
      if (this.#waits) this.#wanted = size
      else this.#read(size)
    }
  }

  goOn(): void {
    this.#waits = false
    const wanted = this.#wanted
    this.#wanted = undefined
    if (wanted !== undefined && !this.socket.destroyed) this.#read(wanted)
  }

  release(): void {
    this.#isReleased = true
    const own: Partial<Pick<Socket, 'push' | '_read'>> = this.socket
    delete own.push
    delete own._read
    this.goOn()
  }

  /** @returns whether the system is to be read on */
  #arrived(chunk: unknown): boolean {
    if (chunk === null) return this.#push(chunk)
    const current = this.#between
    const mayGoOn = this.client.spend(() => this.#push(chunk))
    if (this.#isReleased) return mayGoOn
    const { isProxy, isUpgraded } = this.connection
    // To another protocol they may mean something.
    const isNothing = !isUpgraded && current === this.#between && isLineBreaks(chunk as Uint8Array)
    if (!isNothing && (isProxy || !this.client.hasToWait)) return mayGoOn
    this.#waits = true
    // Line breaks would take a turn after the other. Node closes the connection when its time for the next request is over.
    if (isNothing) this.client.hold()
    else this.client.wait(this)
    return false
  }

  /** The request that the connection has in full, if any. Not the same each time if it has one in part. */
  get #between(): unknown {
    const response = responseInProgress(this.socket)
    return response === undefined || response.req.complete ? response : {}
  }
}

/** Line breaks between two requests, which a server passes over (RFC 9112, section 2.2). */
function isLineBreaks(chunk: Uint8Array): boolean {
  return chunk.length >= MANY_BREAKS && chunk.every(byte => byte === CR || byte === LF)
}

const CR = 0x0d
const LF = 0x0a

function nothing(): void {}
