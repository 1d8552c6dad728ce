/**
 * Frames carry the bytes of many connections between a balancer and a worker over one socket. Each connection is a
 * channel, which carries one request at a time, as an HTTP connection does. What arrives in one turn of the event loop
 * leaves in one write, which is what frames are for: a write costs as much as all else that is done for a short
 * request.
 *
 * A frame is its kind (1 byte), the channel (4 bytes), a number (3 bytes), and with `data` that many bytes. Numbers are
 * unsigned and big-endian. The number of a channel is used once, so a late frame never belongs to another request. The
 * first bytes on the socket are the instance's key and a line feed.
 */
export type FrameKind = 'data' | 'end' | 'close' | 'refusal' | 'credit'

/** How many bytes of a channel may be on their way to the balancer without its `credit`. */
export const CHANNEL_WINDOW = 128 * 1024

/** The most bytes of a frame, so that a long answer does not hold up the others. */
export const MAX_FRAME_BYTES = 32 * 1024

/**
 * No connection has this number. Its `credit` comes back from the worker at once, so that a balancer knows how long the
 * worker's event loop takes to come to what was sent. Older workers pass over it.
 */
export const PING = 0

/** The last number of a channel. */
export const MAX_CHANNEL = 0xffff_ffff

/** The path of the socket that takes frames, beside the one that takes HTTP. */
export function framesPathOf(socketPath: string): string {
  return `${socketPath}.f`
}

const KINDS: readonly FrameKind[] = ['data', 'end', 'close', 'refusal', 'credit']
const HEADER_BYTES = 8

/** The head of a frame, one character a byte. @param number of bytes that follow, or that the channel may have more */
export function frameHead(kind: FrameKind, channel: number, number = 0): string {
  return String.fromCharCode(
    KINDS.indexOf(kind),
    channel >>> 24,
    (channel >>> 16) & 0xff,
    (channel >>> 8) & 0xff,
    channel & 0xff,
    number >>> 16,
    (number >>> 8) & 0xff,
    number & 0xff,
  )
}

/** The findings of a reader. The bytes of one frame may come in several pieces. */
export interface FrameSink {
  /** @param isLast nothing else has arrived yet */
  dataFound(channel: number, bytes: Buffer, isLast: boolean): void
  signalFound(kind: Exclude<FrameKind, 'data'>, channel: number, number: number): void
}

/** Bytes that are not a frame, or a frame that the other end does not send. Nothing that follows can be trusted. */
export class FrameFault extends Error {
  override readonly name = 'FrameFault'
}

/** Reads frames as they arrive. */
export class FrameReader {
  readonly #head = Buffer.alloc(HEADER_BYTES)
  #headRead = 0
  #channel = 0
  /** Bytes of the current frame that have not arrived. */
  #left = 0

  constructor(private readonly sink: FrameSink) {}

  /** Takes the next bytes. Throws a `FrameFault` for bytes that are not a frame. */
  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#left === 0) {
        at = this.#readHead(bytes, at)
        continue
      }
      const end = Math.min(bytes.length, at + this.#left)
      this.#left -= end - at
      this.sink.dataFound(this.#channel, bytes.subarray(at, end), end === bytes.length)
      at = end
    }
  }

  #readHead(bytes: Buffer, start: number): number {
    if (this.#headRead === 0 && bytes.length - start >= HEADER_BYTES) {
      this.#begin(bytes, start)
      return start + HEADER_BYTES
    }
    const end = Math.min(bytes.length, start + HEADER_BYTES - this.#headRead)
    bytes.copy(this.#head, this.#headRead, start, end)
    this.#headRead += end - start
    if (this.#headRead === HEADER_BYTES) {
      this.#headRead = 0
      this.#begin(this.#head, 0)
    }
    return end
  }

  #begin(bytes: Buffer, at: number): void {
    const kind = KINDS[bytes[at] as number]
    const channel = bytes.readUInt32BE(at + 1)
    const number = bytes.readUIntBE(at + 5, 3)
    if (kind === undefined || (kind === 'data' && (number === 0 || number > MAX_FRAME_BYTES))) {
      throw new FrameFault('not a frame')
    }
    if (kind === 'data') {
      this.#channel = channel
      this.#left = number
    } else this.sink.signalFound(kind, channel, number)
  }
}
