import type { Socket } from 'node:net'
import { reset } from './reset.js'

/** What is seen of a connection beyond its public properties. */
interface Inner {
  /** Bytes that were handed to the system, and those of them that it has not taken. */
  _handle?: { bytesWritten: number; writeQueueSize: number } | null
}

interface Backlog {
  taken: number
  looks: number
}

/** How often a connection is looked at within the time that it may stand still. */
const LOOKS = 4

/**
 * Cuts the connections of clients that do not take what they are sent. Each keeps its place at a target for as long as
 * it likes, so a few of them would keep everybody out. Who takes little at a time may take as long as that takes; but
 * the system tells of it a third of its buffer at a time, which may be more than a megabyte: hence minutes.
 */
export class StalledClients {
  #backlogs = new Map<Socket, Backlog>()
  #timer: NodeJS.Timeout | undefined

  /**
   * @param connections those that are open
   * @param stallMs how long nothing may move
   */
  constructor(
    private readonly connections: () => Iterable<Socket>,
    private readonly stallMs: number,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => this.#look(), this.stallMs / LOOKS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#backlogs.clear()
  }

  #look(): void {
    const backlogs = new Map<Socket, Backlog>()
    for (const socket of this.connections()) {
      if (socket.writableLength === 0) continue
      const taken = takenFrom(socket)
      const seen = this.#backlogs.get(socket)
      const looks = seen?.taken === taken ? seen.looks + 1 : 0
      if (looks < LOOKS) backlogs.set(socket, { taken, looks })
      else reset(socket)
    }
    this.#backlogs = backlogs
  }
}

function takenFrom(socket: Socket): number {
  const { _handle: handle } = socket as Inner
  return handle === undefined || handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize
}
