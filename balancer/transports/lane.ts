import net from 'node:net'
import type { OpenFiles } from '../ledger/open-files.js'
import type { BalancerOptions } from '../options.js'
import { LaneConnection, type IdleConnections } from './lane-connection.js'

/**
 * The connections to one target that carry requests without a body. Such a request and its answer need little of what
 * Node's client and http-proxy do for any message.
 */
export class Lane implements IdleConnections {
  /** The one that was used last comes last. */
  readonly #idle: LaneConnection[] = []
  #sweeping: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(
    private readonly socketPath: string,
    private readonly options: Pick<BalancerOptions, 'upstreamIdleMs' | 'maxInFlight'>,
    private readonly openFiles: OpenFiles,
  ) {}

  /** A connection that carries nothing. */
  take(): LaneConnection {
    const now = performance.now()
    for (let known = this.#idle.pop(); known !== undefined; known = this.#idle.pop()) {
      if (known.idleUntil > now) return known
      known.destroy()
    }
    return this.#open()
  }

  add(connection: LaneConnection, seconds = Infinity): void {
    const idleMs = Math.min(this.options.upstreamIdleMs, seconds * 1_000 - MARGIN_MS)
    if (this.#isClosed || idleMs <= 0 || this.#idle.length >= this.options.maxInFlight) {
      connection.destroy()
      return
    }
    connection.idleUntil = performance.now() + idleMs
    this.#idle.push(connection)
    this.#sweeping ??= setInterval(() => this.#sweep(), Math.min(SWEEP_MS, this.options.upstreamIdleMs)).unref()
  }

  remove(connection: LaneConnection): void {
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  /** Requests in flight keep their connections until they end. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#sweeping)
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  #open(): LaneConnection {
    const socket = this.openFiles.count(net.connect(this.socketPath))
    const connection = new LaneConnection(linkOf(socket), this)
    let failure: Error | undefined
    socket.on('data', bytes => connection.onData(bytes))
    socket.on('end', () => connection.onEnd())
    socket.on('error', error => (failure = error))
    socket.on('close', () => connection.onClose(failure))
    return connection
  }

  #sweep(): void {
    const now = performance.now()
    const old = this.#idle.filter(({ idleUntil }) => idleUntil <= now)
    for (const connection of old) {
      this.remove(connection)
      connection.destroy()
    }
    if (this.#idle.length > 0) return
    clearInterval(this.#sweeping)
    this.#sweeping = undefined
  }
}

/** The target may begin to close a connection this much earlier than it says. */
const MARGIN_MS = 1_000
const SWEEP_MS = 1_000

function linkOf(socket: net.Socket): ConstructorParameters<typeof LaneConnection>[0] {
  return {
    write: text => void socket.write(text, 'latin1'),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    destroy: () => void socket.destroy(),
  }
}
