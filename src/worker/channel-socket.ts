import { AsyncResource } from 'node:async_hooks'
import net from 'node:net'
import { CHANNEL_WINDOW, MAX_FRAME_BYTES } from '#balancer/contract/frames.js'

/** Carries what channels send. */
export interface FrameCarrier {
  /** @param bytes at most `MAX_FRAME_BYTES`; in a string one character is a byte */
  sendData(channel: ChannelSocket, bytes: string | Buffer): void
  sendEnd(channel: ChannelSocket): void
  /** Called once. */
  channelClosed(channel: ChannelSocket): void
}

type Callback = (error?: Error | null) => void

interface Chunk {
  chunk: string | Buffer
  encoding: BufferEncoding
}

/** A connection of a balancer that comes in the frames of a socket shared with others. To the app's server it is a socket. */
export class ChannelSocket extends net.Socket {
  /** A request has come, and nothing was written since. */
  awaitsAnswer = false
  /** The context of a request (`AsyncLocalStorage`) stays on its connection. */
  readonly #context = new AsyncResource('OutpostChannel')
  #received = 0
  #sent = 0
  /** Bytes that may be sent before the balancer has taken some. */
  #credit = CHANNEL_WINDOW
  /** The pieces that wait for credit, uncopied: copies would cost as much memory again for each client that does not read. */
  #rest: Array<string | Buffer> = []
  #whenSent: Callback | undefined

  constructor(
    readonly id: number,
    private readonly carrier: FrameCarrier,
  ) {
    super({ allowHalfOpen: true })
  }

  /** Bytes from the balancer. */
  received(bytes: Buffer): void {
    this.#received += bytes.length
    if (this.destroyed) return
    try {
      this.#context.runInAsyncScope(() => this.push(bytes))
    } catch (error) {
      // The app's, and uncaught: it must not end what came together with this.
      process.nextTick(() => {
        throw error
      })
    }
  }

  /** The balancer has taken `bytes`. */
  credit(bytes: number): void {
    this.#credit += bytes
    if (this.#rest.length > 0) this.#sendRest()
  }

  override _read(): void {
    // Requests come as they come: their heads are small, and a channel carries one at a time.
  }

  override _write(chunk: string | Buffer, encoding: BufferEncoding, callback: Callback): void {
    this.#send(bytesOf(chunk, encoding), callback)
  }

  override _writev(chunks: Chunk[], callback: Callback): void {
    const parts = inFrames(chunks.map(({ chunk, encoding }) => bytesOf(chunk, encoding)))
    const [only] = parts
    if (only !== undefined && parts.length === 1) this.#send(only, callback)
    else this.#sendInParts(parts, callback)
  }

  override _final(callback: Callback): void {
    this.carrier.sendEnd(this)
    callback()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#rest = []
    this.carrier.channelClosed(this)
    super._destroy(error, callback)
  }

  #send(bytes: string | Buffer, callback: Callback): void {
    if (!this.#fits(bytes)) return this.#sendInParts([bytes], callback)
    this.#noteMove()
    this.#carry(bytes)
    callback()
  }

  #sendInParts(parts: Array<string | Buffer>, callback: Callback): void {
    this.#noteMove()
    this.#rest = parts
    this.#whenSent = callback
    this.#sendRest()
  }

  #sendRest(): void {
    for (let part = this.#rest[0]; part !== undefined && this.#credit > 0; part = this.#rest[0]) {
      if (this.#fits(part)) {
        this.#rest.shift()
        this.#carry(part)
      } else {
        const bytes = bufferOf(part)
        const end = Math.min(MAX_FRAME_BYTES, this.#credit)
        this.#rest[0] = bytes.subarray(end)
        this.#carry(bytes.subarray(0, end))
      }
    }
    if (this.#rest.length > 0) return
    const callback = this.#whenSent
    this.#whenSent = undefined
    callback?.()
  }

  /** Into one frame, now. */
  #fits({ length }: string | Buffer): boolean {
    return length <= MAX_FRAME_BYTES && length <= this.#credit
  }

  /** As a socket does whenever something moves on it. */
  #noteMove(): void {
    if (this.timeout !== undefined && this.timeout > 0) this.setTimeout(this.timeout)
  }

  #carry(bytes: string | Buffer): void {
    if (bytes.length === 0) return
    this.#credit -= bytes.length
    this.#sent += bytes.length
    this.carrier.sendData(this, bytes)
  }

  static {
    // Node asks the handle of a socket that has one.
    Object.defineProperties(this.prototype, {
      pending: { get: () => false },
      bytesRead: {
        get(this: ChannelSocket) {
          return this.#received
        },
      },
      bytesWritten: {
        get(this: ChannelSocket) {
          return this.#rest.reduce((sum, part) => sum + part.length, this.#sent)
        },
      },
    })
  }
}

/** Joins what goes into one frame, and so reaches the balancer in one piece. Copies nothing that is longer. */
function inFrames(parts: ReadonlyArray<string | Buffer>): Array<string | Buffer> {
  const joined: Array<string | Buffer> = []
  let together: Array<string | Buffer> = []
  let length = 0
  for (const part of parts) {
    if (length + part.length > MAX_FRAME_BYTES && together.length > 0) {
      joined.push(join(together))
      together = []
      length = 0
    }
    together.push(part)
    length += part.length
  }
  if (together.length > 0) joined.push(join(together))
  return joined
}

function join(parts: ReadonlyArray<string | Buffer>): string | Buffer {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only
  return parts.every(part => typeof part === 'string') ? parts.join('') : Buffer.concat(parts.map(bufferOf))
}

/** @param part one character a byte, if it is a string */
function bufferOf(part: string | Buffer): Buffer {
  return typeof part === 'string' ? Buffer.from(part, 'latin1') : part
}

/** Strings up to this size are joined to one write, which costs less than a list of buffers. */
const JOINED_BYTES = 4_096

/** The bytes of a chunk: short ones as a string of one character a byte, which can be joined to the next. */
function bytesOf(chunk: string | Buffer, encoding: BufferEncoding): string | Buffer {
  if (typeof chunk !== 'string') return chunk.length <= JOINED_BYTES ? chunk.toString('latin1') : chunk
  if (encoding === 'latin1' || encoding === 'binary') return chunk
  const isUtf8 = encoding === 'utf8' || encoding === 'utf-8'
  // Plain ASCII is the same in both.
  if (isUtf8 && chunk.length <= JOINED_BYTES && Buffer.byteLength(chunk) === chunk.length) return chunk
  const bytes = Buffer.from(chunk, encoding)
  return bytes.length <= JOINED_BYTES ? bytes.toString('latin1') : bytes
}
