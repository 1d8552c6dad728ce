import net from 'node:net'
import {
  CHANNEL_WINDOW,
  FrameFault,
  frameHead,
  FrameReader,
  framesPathOf,
  MAX_CHANNEL,
  MAX_FRAME_BYTES,
  PING,
  type FrameKind,
  type FrameSink,
} from '../contract/frames.js'
import type { OpenFiles } from '../ledger/open-files.js'
import { LaneConnection, type IdleConnections, type Link } from './lane-connection.js'

export interface TrunkEvents {
  opened(): void
  closed(): void
}

/** One socket to a worker that carries the bytes of many connections, in frames: see `contract/frames.ts`. */
export class Trunk implements FrameSink {
  readonly #socket: net.Socket
  readonly #channels = new Map<number, Channel>()
  readonly #reader = new FrameReader(this)
  readonly #pings: (() => void)[] = []
  #lastChannel = 0
  /** The bytes that leave in one write at the end of this turn of the event loop, one character a byte. */
  #out = ''
  #isOpen = false
  #isRetired = false

  constructor(socketPath: string, identityKey: string, openFiles: OpenFiles, events: TrunkEvents) {
    const socket = openFiles.count(net.connect(framesPathOf(socketPath)))
    this.#socket = socket
    let failure: Error | undefined
    socket.once('connect', () => {
      this.#isOpen = true
      socket.write(`${identityKey}\n`, 'latin1')
      events.opened()
    })
    socket.on('data', bytes => this.#received(bytes))
    socket.on('error', error => (failure = error))
    socket.once('close', () => {
      this.#isOpen = false
      events.closed()
      for (const channel of [...this.#channels.values()]) channel.lost(failure)
      for (const answered of this.#pings.splice(0)) answered()
    })
  }

  /** Whether a connection can be opened. */
  get isOpen(): boolean {
    return this.#isOpen && !this.#isRetired && this.#lastChannel < MAX_CHANNEL
  }

  /** Opens a connection. The worker may refuse it, which is reported like a connect that fails. */
  open(idle: IdleConnections): LaneConnection {
    this.#lastChannel += 1
    const channel = new Channel(this, this.#lastChannel, idle)
    this.#channels.set(this.#lastChannel, channel)
    return channel.connection
  }

  /** Calls back when the worker has answered, or the socket has closed. Workers of older versions do not answer. */
  ping(answered: () => void): true {
    this.#pings.push(answered)
    this.send(frameHead('credit', PING))
    return true
  }

  /** Opens nothing more, and closes as soon as no connection is left. */
  retire(): void {
    this.#isRetired = true
    if (this.#channels.size === 0) this.#socket.destroySoon()
  }

  /** Called by a channel, which is not used after that. */
  close(channel: number): void {
    if (!this.#channels.delete(channel)) return
    this.send(frameHead('close', channel))
    if (this.#isRetired) this.retire()
  }

  /** Called by a channel. @param frames one character a byte */
  send(frames: string): void {
    if (this.#out === '') setImmediate(() => this.#flush())
    this.#out += frames
  }

  dataFound(channel: number, bytes: Buffer): void {
    // A channel that was closed here may have sent more before it knew.
    this.#channels.get(channel)?.received(bytes)
  }

  signalFound(kind: Exclude<FrameKind, 'data'>, id: number): void {
    if (kind === 'credit' && id === PING) return this.#pings.shift()?.()
    const channel = this.#channels.get(id)
    if (channel === undefined) return
    if (kind === 'end') return channel.connection.onEnd()
    if (kind === 'credit') throw new FrameFault('credit for a direction that has no limit')
    this.#channels.delete(id)
    channel.lost(kind === 'refusal' ? Object.assign(new Error('connection refused'), REFUSED) : undefined)
    if (this.#isRetired) this.retire()
  }

  #received(bytes: Buffer): void {
    try {
      this.#reader.push(bytes)
    } catch (error) {
      if (!(error instanceof FrameFault)) throw error
      this.#socket.destroy(error)
    }
  }

  #flush(): void {
    const out = this.#out
    this.#out = ''
    if (this.#isOpen) this.#socket.write(out, 'latin1')
  }
}

/** As when nothing listens on a socket. */
const REFUSED = { syscall: 'connect', code: 'ECONNREFUSED' }

/** One connection within a trunk. */
class Channel implements Link {
  readonly connection: LaneConnection
  readonly isShared = true
  readonly isConnecting = false
  #isPaused = false
  /** Bytes that came and that the worker may not send again yet. */
  #uncredited = 0

  constructor(
    private readonly trunk: Trunk,
    private readonly id: number,
    idle: IdleConnections,
  ) {
    this.connection = new LaneConnection(this, idle)
  }

  write(text: string): void {
    for (let at = 0; at < text.length; at += MAX_FRAME_BYTES) {
      const part = text.length <= MAX_FRAME_BYTES ? text : text.slice(at, at + MAX_FRAME_BYTES)
      this.trunk.send(frameHead('data', this.id, part.length) + part)
    }
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#credit()
  }

  destroy(): void {
    this.trunk.close(this.id)
  }

  received(bytes: Buffer): void {
    this.#uncredited += bytes.length
    this.connection.onData(bytes)
    if (!this.#isPaused) this.#credit()
  }

  lost(error: Error | undefined): void {
    this.connection.onClose(error)
  }

  #credit(): void {
    if (this.#uncredited < CHANNEL_WINDOW / 2) return
    this.trunk.send(frameHead('credit', this.id, this.#uncredited))
    this.#uncredited = 0
  }
}
