import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { giverTo } from '../contract/dynamic-threshold.js'
import type { ClientAccount } from '../ledger/client-account.js'
import { reset } from '../transports/reset.js'
import { passOverTheRest } from './pass-over.js'

/** The private parts by which Node stops reading from a connection. */
interface Inner {
  _paused?: boolean
  parser?: { resume(): void } | null
}

interface Line {
  /** The client of the first of them. */
  readonly account: ClientAccount
  /** Requests that wait, and their bytes. */
  waiting: number
  bytes: number
  /** Functions that end the wait of each. */
  readonly leaves: Set<() => void>
}

/**
 * The cost of a parsed request beside the text of its head. It takes a quarter of that in memory, but also some twenty
 * microseconds to parse, and all that came in one piece is parsed in one turn of the event loop.
 */
const COST_OF_ONE = 8 * 1_024

/**
 * Requests that wait on a connection that closes still count for their client for this long. To parse them took its time:
 * with a new connection for each that is cut, a client would have thousands of requests parsed all the time.
 */
const CLOSED_MS = 1_000

/** This many connections with one request each have room for one with long headers. */
const MOST_CUT = 4

/**
 * Holds pipelined requests, which clients send before the answers to their earlier ones (RFC 9112, section 9.3.2).
 * Each begins when its turn on the connection has come. Otherwise one client could take the places of all others. While
 * they wait, no more is read from their connection than fits into a small buffer.
 */
export class Pipeline {
  #size = 0
  readonly #lines = new Map<Socket, Line>()
  /** Functions that give clients back the memory of connections that have closed. */
  readonly #ofClosed = new Set<() => void>()

  /** @param bytesOfOne the most that is read ahead on one connection, apart from what comes in one piece with it */
  constructor(private readonly bytesOfOne: number) {}

  get size(): number {
    return this.#size
  }

  /** Whether this answer has to wait for an earlier one. */
  static isBehind(response: ServerResponse): boolean {
    return response.socket === null
  }

  /**
   * Calls `begin` when the turn of this request has come, or never if the connection ends first. Cuts the connection if
   * its client has more waiting than its share.
   */
  enter(request: IncomingMessage, response: ServerResponse, account: ClientAccount, begin: () => void): void {
    const { socket } = request
    if (socket.destroyed) return
    const bytes = bytesOf(request)
    this.#makeRoomFor(account, bytes)
    if (!account.parsedBytes.take(bytes)) {
      passOverTheRest(socket)
      // An answer would have to wait for its turn as well.
      reset(socket)
      return
    }
    const line = this.#lines.get(socket) ?? this.#begunOn(socket, account)
    const leave = (): void => {
      line.leaves.delete(leave)
      line.waiting -= 1
      line.bytes -= bytes
      this.#size -= 1
    }
    line.leaves.add(leave)
    line.waiting += 1
    line.bytes += bytes
    this.#size += 1
    if (line.bytes >= this.bytesOfOne) pause(socket)
    const onTurn = (): void => {
      if (socket.destroyed) return
      leave()
      account.parsedBytes.release(bytes)
      if (line.waiting === 0) resume(socket)
      begin()
    }
    // Later, because Node sends what was written so far after all listeners have run.
    response.once('socket', () => process.nextTick(onTurn))
  }

  /** A waiting response gets no close event, so the connection is watched. */
  #begunOn(socket: Socket, account: ClientAccount): Line {
    const line: Line = { account, waiting: 0, bytes: 0, leaves: new Set() }
    this.#lines.set(socket, line)
    endWithoutTraces(socket)
    socket.once('close', () => {
      const bytes = this.#end(socket, line)
      if (bytes > 0) this.#releaseLater(account, bytes)
    })
    return line
  }

  #releaseLater({ parsedBytes }: ClientAccount, bytes: number): void {
    const release = (): void => {
      if (this.#ofClosed.delete(release)) parsedBytes.release(bytes)
    }
    this.#ofClosed.add(release)
    setTimeout(release, CLOSED_MS).unref()
  }

  /** @returns the memory that its client is to get back */
  #end(socket: Socket, line: Line): number {
    const { bytes } = line
    this.#lines.delete(socket)
    for (const leave of line.leaves) leave()
    return bytes
  }

  /** If nothing is left for a client that holds nothing, the one that holds most loses a few connections. */
  #makeRoomFor({ parsedBytes }: ClientAccount, bytes: number): void {
    if (parsedBytes.held === 0) {
      for (const release of this.#ofClosed) {
        if (parsedBytes.mayTake(bytes)) break
        release()
      }
    }
    for (let left = MOST_CUT; left > 0 && !parsedBytes.mayTake(bytes); left -= 1) {
      const lines = [...this.#lines]
      const giver = giverTo(
        parsedBytes.held,
        lines.map(([, { account }]) => [account, account.parsedBytes.held]),
      )
      const given = lines.find(([, { account, waiting }]) => account === giver && waiting > 0)
      if (given === undefined) return
      reset(given[0])
      given[1].account.parsedBytes.release(this.#end(...given))
    }
  }
}

function bytesOf({ rawHeaders, url = '' }: IncomingMessage): number {
  return rawHeaders.reduce((sum, text) => sum + text.length, COST_OF_ONE + url.length)
}

/** As Node's server does when answers back up: the parser stops after the piece that it has. */
function pause(socket: Socket & Inner): void {
  if (socket._paused === true) return
  socket._paused = true
  socket.pause()
}

function resume(socket: Socket & Inner): void {
  if (socket._paused !== true) return
  socket._paused = false
  socket.parser?.resume()
  socket.resume()
}

/**
 * When a connection closes, Node ends each of its requests with two errors. The traces of their stacks took two thirds of the
 * time that a client with thousands of requests cost, and nobody sees these errors: the requests have not begun.
 */
function endWithoutTraces(socket: Socket): void {
  let limit = 0
  const restore = (): void => {
    if (limit > 0) Error.stackTraceLimit = limit
    limit = 0
  }
  socket.prependOnceListener('close', () => {
    limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    // If a listener throws.
    process.nextTick(restore)
  })
  // After Node's own.
  socket.once('close', restore)
}
