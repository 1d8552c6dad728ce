import type { Socket } from 'node:net'
import { reset } from '../transports/reset.js'
import { takenFrom } from './taken-bytes.js'

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
}

/** A connection is checked this often within the time that it may make no progress. */
const CHECKS = 4

/**
 * Cuts the connections of clients that do not read their answers. A slow reader may take its time, but the system
 * reports progress only once per third of its send buffer, which may be more than a megabyte. So the limit is in minutes.
 */
export class StalledClients {
  #backlogs = new Map<Socket, Backlog>()
  #timer: NodeJS.Timeout | undefined

  /** @param connections the open ones */
  constructor(
    private readonly connections: () => Iterable<Socket>,
    private readonly options: StalledClientsOptions,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => this.#check(), this.options.clientStallMs / CHECKS).unref()
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
  }
}
