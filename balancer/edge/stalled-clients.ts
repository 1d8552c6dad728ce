import type { Socket } from 'node:net'
import { reset } from '../transports/reset.js'

/** The private part of a socket that is read here. */
interface Inner {
  /** Bytes that were handed to libuv, and those of them that the system has not taken. */
  _handle?: { bytesWritten: number; writeQueueSize: number } | null
}

interface Backlog {
  taken: number
  checks: number
}

/** A connection is checked this often within the time that it may stand still. */
const CHECKS = 4

/**
 * Cuts the connections of clients that do not read their answers. Each of these keeps its place at a target, so a few
 * of them could occupy all places. A slow reader may take its time, but the system reports progress only once per third
 * of its send buffer, which may be more than a megabyte. So the limit is in minutes.
 */
export class StalledClients {
  #backlogs = new Map<Socket, Backlog>()
  #timer: NodeJS.Timeout | undefined

  /**
   * @param connections the open ones
   * @param stallMs how long a connection may make no progress
   */
  constructor(
    private readonly connections: () => Iterable<Socket>,
    private readonly stallMs: number,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => this.#check(), this.stallMs / CHECKS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#backlogs.clear()
  }

  #check(): void {
    const backlogs = new Map<Socket, Backlog>()
    for (const socket of this.connections()) {
      if (socket.writableLength === 0) continue
      const taken = takenFrom(socket)
      const seen = this.#backlogs.get(socket)
      const checks = seen?.taken === taken ? seen.checks + 1 : 0
      if (checks < CHECKS) backlogs.set(socket, { taken, checks })
      else reset(socket)
    }
    this.#backlogs = backlogs
  }
}

function takenFrom(socket: Socket): number {
  const { _handle: handle } = socket as Inner
  return handle === undefined || handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize
}
