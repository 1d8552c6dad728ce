import { S3Error } from '../errors.js'

/** Bytes from `start` up to, not including, `end`. */
export interface HalfOpenRange {
  readonly start: number
  readonly end: number
}

/**
 * The one range that a request asks for, or undefined for the whole object. As on S3, a list of ranges or a malformed
 * range is ignored (RFC 9110, 14.2), and a range outside the object is refused with 416.
 */
export function parseRange(header: string | undefined, size: number): HalfOpenRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.replaceAll(' ', '') ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (first === '') {
    const count = Math.min(Number(last), size)
    if (count === 0) throw new S3Error('InvalidRange')
    return { start: size - count, end: size }
  }
  if (last !== '' && Number(last) < Number(first)) return undefined
  if (Number(first) >= size) throw new S3Error('InvalidRange')
  return { start: Number(first), end: last === '' ? size : Math.min(Number(last) + 1, size) }
}

/** x-amz-copy-source-range allows only `bytes=first-last`, both inside the source. */
export function parseCopyRange(header: string | undefined, size: number): HalfOpenRange | undefined {
  if (header === undefined) return undefined
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(header) ?? []
  const range = { start: Number(first), end: Number(last) + 1 }
  if (!(range.start < range.end && range.end <= size)) {
    throw new S3Error(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be bytes=first-last inside the source.',
    )
  }
  return range
}
