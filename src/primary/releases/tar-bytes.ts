import { ArchiveError, NOT_WHOLE } from './archive-error.js'

/** The content of one entry. */
export class EntryBody {
  #left: number

  constructor(
    private readonly bytes: Bytes,
    size: number,
  ) {
    this.#left = size
  }

  async *chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of this.bytes.take(this.#left)) {
      this.#left -= chunk.length
      yield chunk
    }
  }

  async skip(): Promise<void> {
    await this.bytes.skip(this.#left)
    this.#left = 0
  }
}

/** Reads a stream by counts. Keeps only the rest of one chunk. */
export class Bytes {
  readonly #source: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  #read = 0

  constructor(
    source: AsyncIterable<Buffer>,
    private readonly maxBytes: number,
  ) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Undefined: the stream has come to its end before. */
  async exactly(count: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = []
    for (let missing = count; missing > 0;) {
      const piece = await this.#upTo(missing)
      if (piece === undefined && pieces.length === 0) return undefined
      if (piece === undefined) throw cut(missing)
      pieces.push(piece)
      missing -= piece.length
    }
    return Buffer.concat(pieces)
  }

  /** @param count Infinity: all that is left */
  async *take(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      const piece = await this.#upTo(left)
      if (piece === undefined && left === Infinity) return
      if (piece === undefined) throw cut(left)
      left -= piece.length
      yield piece
    }
  }

  async skip(count: number): Promise<void> {
    const pieces = this.take(count)
    while ((await pieces.next()).done !== true);
  }

  async #upTo(count: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next()
      if (next.done === true) return undefined
      this.#rest = next.value
      this.#read += next.value.length
      if (this.#read > this.maxBytes) {
        throw new ArchiveError(`it is larger than ${Math.round(this.maxBytes / 1024 ** 2)} MiB unpacked`)
      }
    }
    const piece = this.#rest.subarray(0, count)
    this.#rest = this.#rest.subarray(piece.length)
    return piece
  }
}

function cut(missing: number): ArchiveError {
  return new ArchiveError(`${NOT_WHOLE}: ${missing} bytes are missing`)
}
