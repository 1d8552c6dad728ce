import { S3Error } from '../errors.js'

/** Reads a stream of buffers by lines and by counts. Keeps only the rest of one buffer. */
export class ByteSource {
  readonly #iterator: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#iterator = source[Symbol.asyncIterator]()
  }

  /** The text up to the next CRLF, which is consumed. */
  async line(maxBytes: number): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf('\r\n')
      if (end > maxBytes || (end < 0 && this.#rest.length > maxBytes + 1)) {
        throw new S3Error('InvalidRequest', 'A chunk header or trailer is too long.')
      }
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end)
        this.#rest = this.#rest.subarray(end + 2)
        return line
      }
      const more = await this.#next()
      if (more === undefined) throw new S3Error('IncompleteBody')
      this.#rest = this.#rest.length === 0 ? more : Buffer.concat([this.#rest, more])
    }
  }

  async *take(count: number): AsyncGenerator<Buffer, void, undefined> {
    let left = count
    while (left > 0) {
      const piece = this.#rest.length > 0 ? this.#rest : await this.#next()
      if (piece === undefined) throw new S3Error('IncompleteBody')
      this.#rest = piece.subarray(left)
      const taken = piece.subarray(0, left)
      left -= taken.length
      if (taken.length > 0) yield taken
    }
  }

  async atEnd(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const more = await this.#next()
      if (more === undefined) return true
      this.#rest = more
    }
    return false
  }

  async #next(): Promise<Buffer | undefined> {
    const result = await this.#iterator.next()
    return result.done === true ? undefined : result.value
  }
}
