import { S3Error } from '../errors.js'
import type { ObjectRecord } from '../disk/object-record.js'
import type { HalfOpenRange } from '../request/ranges.js'

export const MAX_PARTS = 10_000

/** @throws {S3Error} InvalidArgument */
export function requirePartNumber(text: string | undefined): number {
  const partNumber = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0
  if (partNumber >= 1 && partNumber <= MAX_PARTS) return partNumber
  throw new S3Error('InvalidArgument', `The part number must be a whole number from 1 to ${MAX_PARTS}.`)
}

/**
 * The bytes of the n-th part, counted from 1. An object that came in one request has one part.
 * @throws {S3Error} InvalidPartNumber when there are not so many
 */
export function partRange({ multipart, size }: ObjectRecord, position: number): HalfOpenRange {
  const sizes = multipart?.parts.map(([, size]) => size) ?? [size]
  const own = sizes[position - 1]
  if (own === undefined) throw new S3Error('InvalidPartNumber')
  const start = sizes.slice(0, position - 1).reduce((sum, size) => sum + size, 0)
  return { start, end: start + own }
}
