import type { Socket } from 'node:net'
import { excessOf } from '../contract/dynamic-threshold.js'
import { reset } from '../transports/reset.js'

/** The private part of a socket that is read here. */
interface Inner {
  /** Bytes that were handed to libuv, and those of them that the system has not taken. */
  _handle?: { bytesWritten: number; writeQueueSize: number } | null
}

interface Backlog {
  /** The bytes that the system had taken at the last progress, and the time of it. */
  taken: number
  movedAt: number
}

export interface StalledClientsOptions {
  /** How long a connection may make no progress. */
  clientStallMs: number
  /** Less than this, over `clientStallMs`, is no progress. */
  minBytesPerSecond: number
  /** Memory for all answers that are not read. */
  unreadBytes: number
  /** How long a connection of a client over its share may make no progress. */
  unreadShareMs: number
}

/** A connection is checked this often within the time that it may stand still. */
const CHECKS = 4

/** The system's send buffer for one connection is at most as large (tcp(7), tcp_wmem). */
const MAX_SEND_BUFFER = 4 * 1024 ** 2

/**
 * Cuts the connections of clients that do not read their answers. Their number is limited like any other of
 * connections, but each may take megabytes of the system's memory. A slow reader may take its time, but the system
 * reports progress only once per third of its send buffer, which may be more than a megabyte. So the limit is in
 * minutes. A client whose unread answers take more than its share of the memory has less time.
 */
export class StalledClients {
  #backlogs = new Map<Socket, Backlog>()
  #timer: NodeJS.Timeout | undefined

  /**
   * @param connections the open ones
   * @param clientOf whose share an unread answer counts in; undefined for nobody's
   */
  constructor(
    private readonly connections: () => Iterable<Socket>,
    private readonly clientOf: (socket: Socket) => object | undefined,
    private readonly options: StalledClientsOptions,
  ) {}

  start(): void {
    const { clientStallMs, unreadShareMs } = this.options
    this.#timer ??= setInterval(() => this.#check(), Math.min(clientStallMs, unreadShareMs) / CHECKS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#backlogs.clear()
  }

  #check(): void {
    const { clientStallMs, minBytesPerSecond } = this.options
    const least = Math.max(1, (minBytesPerSecond * clientStallMs) / 1_000)
    const now = performance.now()
    const backlogs = new Map<Socket, Backlog>()
    for (const socket of this.connections()) {
      if (socket.writableLength === 0) continue
      const taken = takenFrom(socket)
      const seen = this.#backlogs.get(socket)
      const backlog = seen === undefined || taken - seen.taken >= least ? { taken, movedAt: now } : seen
      if (now - backlog.movedAt < clientStallMs) backlogs.set(socket, backlog)
      else reset(socket)
    }
    this.#backlogs = backlogs
    this.#takeBack(now)
  }

  /** Cuts the connections of clients with too much unread, the longest unread first. */
  #takeBack(now: number): void {
    const unread = new Map<object, number>()
    for (const socket of this.#backlogs.keys()) {
      const client = this.clientOf(socket)
      if (client !== undefined) unread.set(client, (unread.get(client) ?? 0) + unreadOf(socket))
    }
    const excess = excessOf(unread, this.options.unreadBytes)
    if (excess.size === 0) return
    const oldestFirst = [...this.#backlogs].sort(([, a], [, b]) => a.movedAt - b.movedAt)
    for (const [socket, { movedAt }] of oldestFirst) {
      if (now - movedAt < this.options.unreadShareMs) return
      const client = this.clientOf(socket)
      const left = client === undefined ? undefined : excess.get(client)
      if (client === undefined || left === undefined || left <= 0) continue
      excess.set(client, left - unreadOf(socket))
      this.#backlogs.delete(socket)
      reset(socket)
    }
  }
}

/** The most memory that the answers on a connection may take. The system does not say what of them has arrived. */
function unreadOf(socket: Socket): number {
  return socket.writableLength + Math.min(takenFrom(socket), MAX_SEND_BUFFER)
}

function takenFrom(socket: Socket): number {
  const { _handle: handle } = socket as Inner
  return handle === undefined || handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize
}
