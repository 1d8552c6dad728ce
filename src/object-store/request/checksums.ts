import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** A checksum under way; `digest` is base64, as the x-amz-checksum-* headers carry it. */
export interface Checksum {
  update(piece: Buffer): void
  digest(): string
}

/** The five checksums of S3, by the end of the header's name: `x-amz-checksum-crc32c`. */
export const CHECKSUMS: Readonly<Record<string, () => Checksum>> = {
  crc32: () => {
    let value = 0
    return { update: piece => void (value = crc32(piece, value)), digest: () => base64(value) }
  },
  crc32c: () => {
    let value = 0xffffffff
    const update = (piece: Buffer): void => {
      for (const byte of piece) value = (CRC32C[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8)
    }
    return { update, digest: () => base64(~value) }
  },
  crc64nvme: () => {
    let high = 0xffffffff
    let low = 0xffffffff
    const update = (piece: Buffer): void => {
      for (const byte of piece) {
        const index = (low ^ byte) & 0xff
        low = ((low >>> 8) | (high << 24)) ^ (CRC64_LOW[index] ?? 0)
        high = (high >>> 8) ^ (CRC64_HIGH[index] ?? 0)
      }
    }
    return { update, digest: () => base64(~high, ~low) }
  },
  sha1: () => hash('sha1'),
  sha256: () => hash('sha256'),
}

function hash(algorithm: string): Checksum {
  const state = createHash(algorithm)
  return { update: piece => void state.update(piece), digest: () => state.digest('base64') }
}

function base64(...words: number[]): string {
  const bytes = Buffer.alloc(4 * words.length)
  words.forEach((word, index) => bytes.writeUInt32BE(word >>> 0, 4 * index))
  return bytes.toString('base64')
}

// Castagnoli's polynomial (RFC 3720, B.4), bit-reversed.
const CRC32C = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value
})

// CRC-64/NVME, polynomial 0xad93d23594c93659 bit-reversed, in two halves: BigInt would be a hundred times slower.
const CRC64_HIGH = new Int32Array(256)
const CRC64_LOW = new Int32Array(256)
for (let byte = 0; byte < 256; byte++) {
  let value = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ 0x9a6c9329ac4bc9b5n : value >> 1n
  CRC64_HIGH[byte] = Number(BigInt.asIntN(32, value >> 32n))
  CRC64_LOW[byte] = Number(BigInt.asIntN(32, value))
}
