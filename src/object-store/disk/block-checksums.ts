import { crc32 } from 'node:zlib'

/** The size of one read. A range costs the whole blocks that it touches. */
export const BLOCK_BYTES = 128 * 1024
const CRC_BYTES = 4

/** The checksums of a body, as its record holds them. */
export interface BlockChecksums {
  /** Bytes of each block except the last. */
  readonly size: number
  /** The CRC-32 of each block, four bytes each, as base64. The largest body of one file, 5 GiB, takes 220 KB. */
  readonly crc32: string
}

/** Computes the checksums of a body that comes in pieces of any size. */
export class BlockHasher {
  readonly #done: number[] = []
  #current = 0
  #filled = 0

  update(piece: Buffer): void {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + BLOCK_BYTES - this.#filled)
      this.#current = crc32(part, this.#current)
      this.#filled += part.length
      at += part.length
      if (this.#filled === BLOCK_BYTES) this.#finishBlock()
    }
  }

  digest(): BlockChecksums {
    if (this.#filled > 0) this.#finishBlock()
    const bytes = Buffer.alloc(this.#done.length * CRC_BYTES)
    this.#done.forEach((value, index) => bytes.writeUInt32BE(value, index * CRC_BYTES))
    return { size: BLOCK_BYTES, crc32: bytes.toString('base64') }
  }

  #finishBlock(): void {
    this.#done.push(this.#current)
    this.#current = 0
    this.#filled = 0
  }
}

/** Compares the blocks of one body with its checksums. */
export class BlockVerifier {
  readonly blockBytes: number
  readonly #expected: Buffer

  constructor({ size, crc32 }: BlockChecksums) {
    this.blockBytes = size
    this.#expected = Buffer.from(crc32, 'base64')
  }

  /** Whether there is one checksum for each block of a body of this length. */
  covers(length: number): boolean {
    return this.blockBytes > 0 && this.#expected.length === Math.ceil(length / this.blockBytes) * CRC_BYTES
  }

  /** Whether these are the bytes that were stored as this block. */
  holds(index: number, block: Buffer): boolean {
    return crc32(block) === this.#expected.readUInt32BE(index * CRC_BYTES)
  }
}
