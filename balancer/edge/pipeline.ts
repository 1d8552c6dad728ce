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
  /** Functions that release their places and memory if the connection ends before their turn. */
  readonly releases: Set<() => void>
}

/**
 * The cost of a parsed request beside the text of its head. It takes a quarter of that in memory, but also some twenty
 * microseconds to parse, and all that came in one piece is parsed in one turn of the event loop.
 */
const COST_OF_ONE = 8 * 1_024

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
    const release = (): void => {
      line.releases.delete(release)
      account.parsedBytes.release(bytes)
      line.waiting -= 1
      line.bytes -= bytes
      this.#size -= 1
    }
    line.releases.add(release)
    line.waiting += 1
    line.bytes += bytes
    this.#size += 1
    if (line.bytes >= this.bytesOfOne) pause(socket)
    const onTurn = (): void => {
      if (socket.destroyed) return
      release()
      if (line.waiting === 0) resume(socket)
      begin()
    }
    // Later, because Node sends what was written so far after all listeners have run.
    response.once('socket', () => process.nextTick(onTurn))
  }

  /** A waiting response gets no close event, so the connection is watched. */
  #begunOn(socket: Socket, account: ClientAccount): Line {
    const line: Line = { account, waiting: 0, bytes: 0, releases: new Set() }
    this.#lines.set(socket, line)
    socket.once('close', () => this.#end(socket, line))
    return line
  }

  #end(socket: Socket, { releases }: Line): void {
    this.#lines.delete(socket)
    for (const release of releases) release()
  }

  /** If nothing is left for a client that holds nothing, the one that holds most loses a few connections. */
  #makeRoomFor({ parsedBytes }: ClientAccount, bytes: number): void {
    for (let left = MOST_CUT; left > 0 && !parsedBytes.mayTake(bytes); left -= 1) {
      const lines = [...this.#lines]
      const giver = giverTo(
        parsedBytes.held,
        lines.map(([, { account }]) => [account, account.parsedBytes.held]),
      )
      const given = lines.find(([, { account, waiting }]) => account === giver && waiting > 0)
      if (given === undefined) return
      reset(given[0])
      this.#end(...given)
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
