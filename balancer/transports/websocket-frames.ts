import type { IncomingHttpHeaders } from 'node:http'

/** Whether this is the protocol that a message upgrades to. */
export function speaksWebSocket({ headers }: { headers: IncomingHttpHeaders }): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

/** Close frame with code 1012, "service restart", as a server sends it: not masked (RFC 6455, section 5.5.1). */
export const CLOSE_SERVICE_RESTART = Buffer.from([0x88, 0x02, 0x03, 0xf4])

/**
 * Follows one direction of a WebSocket stream to know where a frame ends, so that another frame can be inserted there
 * (RFC 6455, section 5.2). Keeps no payload.
 */
export class FrameBoundaries {
  /** Bytes of the current frame's payload that have not arrived yet. */
  #payloadLeft = 0
  /** The first bytes of a header whose rest has not arrived yet. */
  #begun: Buffer | undefined

  get atBoundary(): boolean {
    return this.#payloadLeft === 0 && this.#begun === undefined
  }

  /**
   * Takes the next bytes of the stream.
   * @returns offset in `chunk` right after the first frame that ends in it; -1 if none ends
   */
  push(chunk: Buffer): number {
    let first = -1
    let offset = 0
    while (offset < chunk.length) {
      if (this.#payloadLeft === 0) offset = this.#readHeader(chunk, offset)
      const taken = Math.min(this.#payloadLeft, chunk.length - offset)
      offset += taken
      this.#payloadLeft -= taken
      if (first < 0 && this.atBoundary) first = offset
    }
    return first
  }

  #readHeader(chunk: Buffer, start: number): number {
    let read = this.#begun?.copy(header) ?? 0
    this.#begun = undefined
    let offset = start
    while (offset < chunk.length) {
      header[read] = chunk[offset] as number
      read += 1
      offset += 1
      if (read >= 2 && read === headerLength()) {
        this.#payloadLeft = payloadLength()
        return offset
      }
    }
    this.#begun = Buffer.from(header.subarray(0, read))
    return offset
  }
}

const MAX_HEADER = 14

/** The header that is being read. All streams share it, so an idle connection keeps no memory for one. */
const header = Buffer.alloc(MAX_HEADER)

function headerLength(): number {
  const second = header[1] as number
  const length = second & 0x7f
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}

function payloadLength(): number {
  const length = (header[1] as number) & 0x7f
  if (length === 127) return Number(header.readBigUInt64BE(2))
  return length === 126 ? header.readUInt16BE(2) : length
}
