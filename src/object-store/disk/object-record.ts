import type { Attributes } from './attributes.js'
import type { BlockChecksums } from './block-checksums.js'
import { CorruptRecordError } from './record-file.js'
import type { StoredChecksum } from '../request/checksums.js'

/** The record of an object, stored after its body on the disk. */
export interface ObjectRecord extends Attributes {
  readonly key: string
  /** Absent in what version 0.1 wrote. */
  readonly bucket?: string
  /** Without quotes. */
  readonly etag: string
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly lastModified: number
  /** The checksum that the client gave with the bytes; absent in records of version 0.1. */
  readonly checksum?: StoredChecksum | undefined
  /** A multipart object has no body of its own: its parts are in the folder of the upload that made it. */
  readonly multipart?: MultipartBody
  /** Absent in what version 0.1 wrote, and in a multipart object. */
  readonly blocks?: BlockChecksums
}

export interface MultipartBody {
  readonly uploadId: string
  readonly parts: readonly PartSize[]
  /** The MD5s of the parts, 32 hexadecimal digits each; absent in what version 0.1 completed. */
  readonly md5s?: string
}

/** Whether this is the part that was completed at a position, and not another one of the same size. */
export function isPartAt({ parts, md5s }: MultipartBody, position: number, part: PartRecord): boolean {
  const [partNumber, size] = parts[position] ?? []
  if (part.partNumber !== partNumber || part.size !== size) return false
  return md5s === undefined || md5s.slice(position * 32, (position + 1) * 32) === part.etag
}

/** The checksum is base64, by the algorithm of the object's own one. */
export type PartSize = readonly [partNumber: number, size: number, checksum?: string]

export interface PartRecord {
  readonly partNumber: number
  readonly etag: string
  readonly size: number
  readonly lastModified: number
  readonly checksum?: StoredChecksum | undefined
  /** Absent in what version 0.1 wrote. */
  readonly blocks?: BlockChecksums
}

export interface UploadRecord extends Attributes {
  readonly id: string
  readonly key: string
  readonly initiated: number
  /** The checksum that the object will have, if the client wants one. */
  readonly checksum?: Pick<StoredChecksum, 'algorithm' | 'type'> | undefined
}

export interface Upload extends UploadRecord {
  readonly parts: Map<number, PartRecord>
}

// The checksum of the record has been verified, so shallow checks are enough to distinguish the kinds of records.

export function asObjectRecord(record: unknown): ObjectRecord {
  return withFields<ObjectRecord>(record, { key: 'string', etag: 'string', size: 'number', lastModified: 'number' })
}

export function asPartRecord(record: unknown): PartRecord {
  return withFields<PartRecord>(record, {
    partNumber: 'number',
    etag: 'string',
    size: 'number',
    lastModified: 'number',
  })
}

export function asUploadRecord(record: unknown): UploadRecord {
  return withFields<UploadRecord>(record, { id: 'string', key: 'string', initiated: 'number' })
}

export function withFields<T extends object>(record: unknown, types: Partial<Record<keyof T, string>>): T {
  if (typeof record === 'object' && record !== null) {
    const fields = record as Record<string, unknown>
    if (Object.entries(types).every(([name, type]) => typeof fields[name] === type)) return record as T
  }
  throw new CorruptRecordError('a record of another kind')
}
