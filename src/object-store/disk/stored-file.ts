import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { BLOCK_BYTES, BlockVerifier, type BlockChecksums } from './block-checksums.js'
import { DamagedError, isShortage } from '../errors.js'
import { openRecord } from './record-file.js'
import type { HalfOpenRange } from '../request/ranges.js'

/** The facts in a record that a body is compared with. Version 0.1 wrote no blocks. */
export interface BodyRecord {
  readonly size: number
  /** The MD5 of the body. */
  readonly etag: string
  readonly blocks?: BlockChecksums | undefined
}

/** The file of an object or of a part, opened. It keeps showing the same version when its name is replaced. */
export class StoredFile<R extends BodyRecord> {
  private constructor(
    readonly path: string,
    readonly record: R,
    readonly handle: FileHandle,
    private readonly bodyLength: number,
  ) {}

  /** The caller closes the file. */
  static async open<R extends BodyRecord>(path: string, asRecord: (record: unknown) => R): Promise<StoredFile<R>> {
    const { handle, record, bodyLength } = await openRecord(path)
    try {
      return new StoredFile(path, asRecord(record), handle, bodyLength)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /**
   * The bytes as they were stored. What has checksums is compared with them before it is yielded. A whole body without
   * checksums is compared with its MD5 before its last piece is yielded.
   * @throws {DamagedError} when they are other bytes, or cannot be read
   */
  async *read({ start, end }: HalfOpenRange): AsyncGenerator<Buffer, void, undefined> {
    const { size, blocks } = this.record
    const verifier = blocks && new BlockVerifier(blocks)
    if (this.bodyLength !== size || verifier?.covers(size) === false) {
      throw new DamagedError(`the length of a body is wrong: ${this.path}`)
    }
    const md5 = !verifier && start === 0 && end === size ? createHash('md5') : undefined
    const step = verifier?.blockBytes ?? BLOCK_BYTES
    for (let index = Math.floor(start / step); index * step < end; index++) {
      const at = index * step
      const block = await this.#readBlock(at, Math.min(step, size - at))
      if (verifier?.holds(index, block) === false) {
        throw new DamagedError(`bytes ${at} to ${at + block.length - 1} are not those that were stored: ${this.path}`)
      }
      md5?.update(block)
      if (at + block.length === size && md5 && md5.digest('hex') !== this.record.etag) {
        throw new DamagedError(`the MD5 of a body is not its ETag: ${this.path}`)
      }
      yield block.subarray(Math.max(start - at, 0), end - at)
    }
  }

  async close(): Promise<void> {
    await this.handle.close()
  }

  async #readBlock(at: number, length: number): Promise<Buffer> {
    const block = Buffer.allocUnsafeSlow(length)
    for (let filled = 0; filled < length;) {
      const bytesRead = await this.#readAt(block, filled, at + filled)
      // The length of the file was right when it was opened.
      if (bytesRead === 0) throw new DamagedError(`a stored file has become shorter: ${this.path}`)
      filled += bytesRead
    }
    return block
  }

  async #readAt(block: Buffer, offset: number, position: number): Promise<number> {
    try {
      return (await this.handle.read(block, offset, block.length - offset, position)).bytesRead
    } catch (cause) {
      if (isShortage(cause)) throw cause
      throw new DamagedError(`a stored file cannot be read: ${this.path}`, { cause })
    }
  }
}
