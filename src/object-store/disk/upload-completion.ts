import { createHash } from 'node:crypto'
import { S3Error } from '../errors.js'
import type { PartRecord, PartSize, Upload } from './object-record.js'
import { checksumOfParts, parseType, type Algorithm, type StoredChecksum } from '../request/checksums.js'

const MIN_PART_BYTES = 5 * 1024 * 1024

export interface ListedPart {
  readonly partNumber: number
  /** Without quotes. */
  readonly etag: string
  readonly checksums: readonly GivenChecksum[]
}

export interface GivenChecksum {
  readonly algorithm: Algorithm
  readonly value: string
}

/** The claims of a client about the object that it completes. All of them must be true. */
export interface CompletionOrder {
  readonly listed: readonly ListedPart[]
  readonly maxBytes: number
  readonly size?: number | undefined
  readonly checksum?: GivenChecksum | undefined
  readonly type?: string | undefined
}

export interface Completion {
  readonly etag: string
  readonly size: number
  readonly parts: readonly PartSize[]
  /** As in the record of the object. */
  readonly md5s: string
  readonly checksum?: StoredChecksum | undefined
}

/** The object that the listed parts make. */
export function completionOf(upload: Upload, order: CompletionOrder): Completion {
  const parts = chooseParts(upload, order.listed)
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  if (size > order.maxBytes) throw new S3Error('EntityTooLarge')
  if (order.size !== undefined && order.size !== size) {
    throw new S3Error(
      'InvalidRequest',
      `The parts have ${size} bytes, not the ${order.size} that x-amz-mp-object-size says.`,
    )
  }
  const checksum = wholeChecksum(upload, order, parts)
  const sizes = parts.map(({ partNumber, size, checksum: own }): PartSize => {
    return checksum && own ? [partNumber, size, own.value] : [partNumber, size]
  })
  const md5s = parts.map(({ etag }) => etag).join('')
  return { etag: multipartEtag(parts), size, parts: sizes, md5s, checksum }
}

/** The ETag as S3 makes it: the MD5 of the parts' MD5s, and the number of parts. */
export function multipartEtag(parts: readonly { readonly etag: string }[]): string {
  const hash = createHash('md5')
  for (const { etag } of parts) hash.update(etag, 'hex')
  return `${hash.digest('hex')}-${parts.length}`
}

function chooseParts(upload: Upload, listed: readonly ListedPart[]): PartRecord[] {
  let previous = 0
  const parts = listed.map(({ partNumber, etag, checksums }) => {
    if (partNumber <= previous) throw new S3Error('InvalidPartOrder')
    previous = partNumber
    const part = upload.parts.get(partNumber)
    const same = ({ algorithm, value }: GivenChecksum): boolean =>
      part?.checksum?.algorithm === algorithm && part.checksum.value === value
    if (part?.etag !== etag || !checksums.every(same)) throw new S3Error('InvalidPart')
    return part
  })
  if (parts.slice(0, -1).some(part => part.size < MIN_PART_BYTES)) throw new S3Error('EntityTooSmall')
  return parts
}

function wholeChecksum(
  upload: Upload,
  { checksum: given, type }: CompletionOrder,
  parts: readonly PartRecord[],
): StoredChecksum | undefined {
  const kind = upload.checksum ?? (given && { algorithm: given.algorithm, type: parseType(given.algorithm, type) })
  if (type !== undefined && type !== kind?.type) {
    throw new S3Error('InvalidRequest', 'The checksum type is not the one of the upload.')
  }
  if (!kind) return undefined
  if (given && given.algorithm !== kind.algorithm) {
    throw new S3Error('InvalidRequest', `The upload was begun with the checksum algorithm ${kind.algorithm}.`)
  }
  const checksum = checksumOfParts(
    kind,
    parts.map(part => ({ size: part.size, value: valueOf(part, kind.algorithm) })),
  )
  if (given && given.value !== checksum.value && !isWithoutCount(given.value, checksum)) throw new S3Error('BadDigest')
  return checksum
}

function valueOf({ partNumber, checksum }: PartRecord, algorithm: Algorithm): string {
  if (checksum?.algorithm === algorithm) return checksum.value
  throw new S3Error('InvalidRequest', `Part ${partNumber} was sent without the checksum ${algorithm}.`)
}

/** Some clients send a composite checksum without the number of parts behind it. */
function isWithoutCount(given: string, { type, value }: StoredChecksum): boolean {
  return type === 'COMPOSITE' && given === value.split('-', 1)[0]
}
