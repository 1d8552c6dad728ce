import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { combineCrcs, Crc } from './crc.js'
import { S3Error } from '../errors.js'

export const ALGORITHMS = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const
/** By the end of the header's name: `x-amz-checksum-crc32c`. */
export type Algorithm = (typeof ALGORITHMS)[number]
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE'

/** A checksum under way; `digest` is base64, as the x-amz-checksum-* headers carry it. */
export interface Checksum {
  update(piece: Buffer): void
  digest(): string
}

/** A checksum that a client gave, as it is stored with an object or a part. */
export interface StoredChecksum {
  readonly algorithm: Algorithm
  readonly type: ChecksumType
  /** Base64; that of a composite one ends with the number of parts, `-3`. */
  readonly value: string
}

export const CHECKSUMS: Readonly<Record<Algorithm, () => Checksum>> = {
  crc32: () => {
    let value = 0
    const digest = (): string => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(value)
      return bytes.toString('base64')
    }
    return { update: piece => void (value = crc32(piece, value)), digest }
  },
  crc32c: () => crc('crc32c'),
  crc64nvme: () => crc('crc64nvme'),
  sha1: () => hash('sha1'),
  sha256: () => hash('sha256'),
}

/** In headers and documents algorithms are written in capitals. */
export function parseAlgorithm(text: string): Algorithm {
  const found = ALGORITHMS.find(algorithm => algorithm.toUpperCase() === text)
  if (!found) throw new S3Error('NotImplemented', `The checksum algorithm ${text} is not implemented.`)
  return found
}

/** @throws {S3Error} InvalidRequest for a type that the algorithm cannot have */
export function parseType(algorithm: Algorithm, text: string | undefined): ChecksumType {
  const hashes = algorithm.startsWith('sha')
  const type = text ?? (algorithm === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE')
  if (type === 'FULL_OBJECT' && !hashes) return type
  if (type === 'COMPOSITE' && algorithm !== 'crc64nvme') return type
  throw new S3Error('InvalidRequest', `The checksum type ${type} cannot be used with ${algorithm}.`)
}

/** The element of a document that carries such a checksum. */
export function elementOf(algorithm: Algorithm): string {
  return `Checksum${algorithm.toUpperCase()}`
}

/** The checksum of an object from those of its parts. */
export function checksumOfParts(
  { algorithm, type }: Pick<StoredChecksum, 'algorithm' | 'type'>,
  parts: readonly { readonly value: string; readonly size: number }[],
): StoredChecksum {
  if (type === 'COMPOSITE') {
    const whole = CHECKSUMS[algorithm]()
    for (const { value } of parts) whole.update(Buffer.from(value, 'base64'))
    return { algorithm, type, value: `${whole.digest()}-${parts.length}` }
  }
  if (algorithm === 'sha1' || algorithm === 'sha256') throw new S3Error('InvalidRequest')
  const crcs = parts.map(({ value, size }) => ({ value: Buffer.from(value, 'base64'), size }))
  return { algorithm, type, value: combineCrcs(algorithm, crcs).toString('base64') }
}

function crc(name: 'crc32c' | 'crc64nvme'): Checksum {
  const state = new Crc(name)
  return { update: piece => state.update(piece), digest: () => state.digest().toString('base64') }
}

function hash(algorithm: string): Checksum {
  const state = createHash(algorithm)
  return { update: piece => void state.update(piece), digest: () => state.digest('base64') }
}
