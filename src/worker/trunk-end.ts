import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { FrameFault, frameHead, FrameReader, PING, type FrameKind, type FrameSink } from '#balancer/contract/frames.js'
import { ChannelSocket, type FrameCarrier } from './channel-socket.js'
import { inListenContext } from './listen-context.js'

/** The parts of Node's server and sockets by which a server knows how many connections it has. */
interface Counting {
  _connections: number
}

/**
 * A socket on which a balancer sends the requests of many connections in frames, and gets the answers. Each connection
 * is delivered to the app's server as if it had been accepted there.
 */
export class TrunkEnd implements FrameSink, FrameCarrier {
  readonly #channels = new Map<number, ChannelSocket>()
  readonly #reader = new FrameReader(this)
  #lastChannel = 0
  /** Channels whose requests the app has not begun to answer. */
  #awaiting = 0
  /** More has arrived than what is being handled. */
  #moreArrived = false
  /** The bytes that leave in one write, one character a byte. */
  #out = ''
  #outSince = 0
  /** Until then each write leaves at once, in the clock of `performance.now()`. */
  #hurryUntil = 0
  #isRetired = false

  /** @param server the app's server now; undefined when it takes no connections */
  constructor(
    private readonly socket: Socket,
    private readonly server: () => Server | undefined,
  ) {}

  /** Takes what the balancer sent. */
  received(bytes: Buffer): void {
    try {
      this.#reader.push(bytes)
    } catch (error) {
      if (!(error instanceof FrameFault)) throw error
      this.socket.destroy(error)
    }
  }

  /** Opens no more connections, and ends when the last one has closed. */
  retire(): void {
    this.#isRetired = true
    if (this.#channels.size > 0) return
    this.flush()
    this.socket.destroySoon()
  }

  /** The socket is gone. */
  lost(): void {
    for (const channel of [...this.#channels.values()]) channel.destroy()
  }

  dataFound(id: number, bytes: Buffer, isLast: boolean): void {
    const channel = this.#channels.get(id) ?? this.#open(id)
    if (channel === undefined) return
    this.#moreArrived = !isLast
    if (!channel.awaitsAnswer) {
      channel.awaitsAnswer = true
      this.#awaiting += 1
    }
    channel.received(bytes)
    this.#moreArrived = false
  }

  signalFound(kind: Exclude<FrameKind, 'data'>, id: number, number: number): void {
    if (kind === 'credit' && id === PING) {
      if (this.socket.writable) this.socket.write(frameHead('credit', PING), 'latin1')
      return
    }
    const channel = this.#channels.get(id)
    if (kind === 'credit') channel?.credit(number)
    else if (kind === 'close') channel?.destroy()
    else throw new FrameFault(`a balancer sends no ${kind}`)
  }

  sendData(channel: ChannelSocket, bytes: string | Buffer): void {
    this.#noteAnswered(channel)
    const head = frameHead('data', channel.id, bytes.length)
    if (typeof bytes === 'string') this.#collect(head + bytes)
    else {
      this.#collect(head)
      this.socket.cork()
      this.flush()
      this.socket.write(bytes)
      this.socket.uncork()
    }
  }

  sendEnd(channel: ChannelSocket): void {
    this.#collect(frameHead('end', channel.id))
  }

  channelClosed(channel: ChannelSocket): void {
    this.#noteAnswered(channel)
    if (!this.#channels.delete(channel.id)) return
    this.#collect(frameHead('close', channel.id))
    if (this.#isRetired) this.retire()
  }

  /** Sends what was collected. */
  flush(): void {
    const out = this.#out
    if (out === '') return
    this.#out = ''
    const now = performance.now()
    // The app computes after it has answered. Under node its answer would have left before.
    if (now - this.#outSince > LONG_TURN_MS) this.#hurryUntil = now + HURRY_MS
    if (this.socket.writable) this.socket.write(out, 'latin1')
  }

  /**
   * An answer that is written while others wait for the app leaves together with theirs, at the latest at the end of
   * this turn of the event loop. A write is the most expensive part of a short answer.
   */
  #collect(frames: string): void {
    if (this.#out === '') this.#outSince = performance.now()
    const isFirst = this.#out === ''
    this.#out += frames
    const isAlone = !this.#moreArrived && this.#awaiting === 0
    if (isAlone || this.#out.length > MAX_COLLECTED || this.#outSince < this.#hurryUntil) this.flush()
    else if (isFirst) setImmediate(() => this.flush())
  }

  #noteAnswered(channel: ChannelSocket): void {
    if (!channel.awaitsAnswer) return
    channel.awaitsAnswer = false
    this.#awaiting -= 1
  }

  #open(id: number): ChannelSocket | undefined {
    // A channel that was closed here: the balancer sent this before it knew.
    if (id <= this.#lastChannel) return undefined
    this.#lastChannel = id
    const server = this.#isRetired ? undefined : this.server()
    if (server === undefined) {
      this.#collect(frameHead('refusal', id))
      return undefined
    }
    // As for a connection that the server has accepted itself: it closes when its last one has.
    ;(server as unknown as Counting)._connections += 1
    inListenContext(server, () => {
      const channel = new ChannelSocket(id, this)
      this.#channels.set(id, channel)
      Object.assign(channel, { server, _server: server })
      server.emit('connection', channel)
    })
    return this.#channels.get(id)
  }
}

const LONG_TURN_MS = 1
const HURRY_MS = 1_000
const MAX_COLLECTED = 64 * 1024
