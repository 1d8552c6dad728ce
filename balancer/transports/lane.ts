import net from 'node:net'
import type { OpenFiles } from '../ledger/open-files.js'
import type { BalancerOptions } from '../options.js'
import { LaneConnection, type IdleConnections, type Link } from './lane-connection.js'
import { Trunk } from './trunk.js'

/**
 * The connections to one target that carry requests without a body. Such a request and its answer need little of what
 * Node's client and http-proxy do for any message.
 */
export class Lane implements IdleConnections {
  /** The one that was used last comes last. */
  readonly #idle: LaneConnection[] = []
  #sweeping: NodeJS.Timeout | undefined
  #trunk: Trunk | undefined
  /** When a trunk may be tried again, in the clock of `performance.now()`; undefined for targets that take no frames. */
  #trunkAfter: number | undefined
  #isClosed = false

  constructor(
    private readonly socketPath: string,
    private readonly options: Pick<BalancerOptions, 'upstreamIdleMs' | 'maxInFlight' | 'frames' | 'identityKey'>,
    private readonly openFiles: OpenFiles,
  ) {
    if (options.frames) this.#trunkAfter = 0
  }

  /** A connection that carries nothing. */
  take(): LaneConnection {
    const now = performance.now()
    for (let known = this.#idle.pop(); known !== undefined; known = this.#idle.pop()) {
      if (known.idleUntil > now) return known
      known.destroy()
    }
    if (this.#trunk?.isOpen === true) return this.#trunk.open(this)
    this.#openTrunk(now)
    return this.#connect()
  }

  add(connection: LaneConnection, seconds = Infinity): void {
    const idleMs = Math.min(this.options.upstreamIdleMs, seconds * 1_000 - MARGIN_MS)
    const isReplaced = this.#trunk?.isOpen === true && !connection.isShared
    if (isReplaced || this.#isClosed || idleMs <= 0 || this.#idle.length >= this.options.maxInFlight) {
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

  /** See `Transport`. Only a target that takes frames can be asked. */
  ping(answered: () => void): boolean {
    if (this.#trunk?.isOpen === true) return this.#trunk.ping(answered)
    this.#openTrunk(performance.now())
    return false
  }

  /** Requests in flight keep their connections until they end. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#sweeping)
    for (const connection of this.#idle.splice(0)) connection.destroy()
    this.#trunk?.retire()
  }

  /** Until it is open, and when it cannot be, requests go over connections of their own. */
  #openTrunk(now: number): void {
    if (this.#trunk !== undefined || this.#isClosed || this.#trunkAfter === undefined || now < this.#trunkAfter) return
    const { identityKey } = this.options
    const trunk = new Trunk(this.socketPath, identityKey, this.openFiles, {
      opened: () => {
        if (this.#isClosed) trunk.retire()
        else this.#dropUnshared()
      },
      closed: () => {
        if (this.#trunk === trunk) this.#trunk = undefined
        this.#trunkAfter = performance.now() + TRUNK_PAUSE_MS
      },
    })
    this.#trunk = trunk
  }

  #dropUnshared(): void {
    for (const connection of this.#idle.filter(({ isShared }) => !isShared)) {
      this.remove(connection)
      connection.destroy()
    }
  }

  #connect(): LaneConnection {
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
/** After a trunk broke or could not be opened. */
const TRUNK_PAUSE_MS = 1_000

function linkOf(socket: net.Socket): Link {
  return {
    isShared: false,
    get isConnecting() {
      return socket.connecting
    },
    write: text => void socket.write(text, 'latin1'),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    destroy: () => void socket.destroy(),
  }
}
