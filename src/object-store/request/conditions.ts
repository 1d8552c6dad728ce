import { S3Error } from '../errors.js'
import type { S3Request } from './s3-request.js'

/** The facts of an object that conditions are compared with. */
export interface Validators {
  /** Without quotes. */
  readonly etag: string
  /** Milliseconds since the epoch. */
  readonly lastModified: number
}

export interface ReadConditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
  readonly ifModifiedSince?: string | undefined
  readonly ifUnmodifiedSince?: string | undefined
}

export interface WriteConditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

export interface DeleteConditions {
  readonly ifMatch?: string | undefined
  /** A date, of which whole seconds count. */
  readonly ifLastModified?: string | undefined
  /** A number of bytes. */
  readonly ifSize?: string | undefined
}

/** @param prefix of the names of the headers */
export function readConditions(request: S3Request, prefix = ''): ReadConditions {
  return {
    ifMatch: request.header(`${prefix}if-match`),
    ifNoneMatch: request.header(`${prefix}if-none-match`),
    ifModifiedSince: request.header(`${prefix}if-modified-since`),
    ifUnmodifiedSince: request.header(`${prefix}if-unmodified-since`),
  }
}

/**
 * RFC 9110, 13.2.2: an entity tag outranks a date, so If-Unmodified-Since counts only without If-Match, and
 * If-Modified-Since only without If-None-Match. Throws PreconditionFailed or NotModified.
 */
export function requireReadable(object: Validators, conditions: ReadConditions): void {
  const { ifMatch, ifNoneMatch } = conditions
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, object.etag)) throw new S3Error('PreconditionFailed')
  } else if (changedSince(object, conditions.ifUnmodifiedSince) === true) throw new S3Error('PreconditionFailed')

  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, object.etag)) throw new S3Error('NotModified')
  } else if (changedSince(object, conditions.ifModifiedSince) === false) throw new S3Error('NotModified')
}

/** Conditional writes as in S3: only `If-None-Match: *` (create) and `If-Match: "etag"` (replace). */
export function requireWritable(current: Validators | undefined, conditions: WriteConditions): void {
  const { ifMatch, ifNoneMatch } = conditions
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() !== '*') throw new S3Error('NotImplemented', 'If-None-Match on a write accepts only *.')
    if (current) throw new S3Error('PreconditionFailed')
  }
  if (ifMatch !== undefined) {
    if (!current) throw new S3Error('NoSuchKey')
    if (!matches(ifMatch, current.etag)) throw new S3Error('PreconditionFailed')
  }
}

/**
 * Conditional deletes as in S3. A condition on an object that does not exist does not hold.
 * Throws PreconditionFailed, or InvalidArgument for a condition that cannot be read.
 */
export function requireDeletable(
  current: (Validators & { readonly size: number }) | undefined,
  { ifMatch, ifLastModified, ifSize }: DeleteConditions,
): void {
  const modified = ifLastModified === undefined ? undefined : Date.parse(ifLastModified)
  if (Number.isNaN(modified) || (ifSize !== undefined && !/^\d{1,15}$/.test(ifSize))) {
    throw new S3Error('InvalidArgument', 'A condition of the delete is malformed.')
  }
  if (ifMatch === undefined && modified === undefined && ifSize === undefined) return
  const holds =
    current !== undefined &&
    (ifMatch === undefined || matches(ifMatch, current.etag)) &&
    (modified === undefined || Math.floor(modified / 1000) === Math.floor(current.lastModified / 1000)) &&
    (ifSize === undefined || Number(ifSize) === current.size)
  if (!holds) throw new S3Error('PreconditionFailed')
}

/** Whether one of a list of entity tags, quoted or not, is this one. Weak and strong make no difference on S3. */
export function matches(list: string, etag: string): boolean {
  const tags = list.split(',').map(tag =>
    tag
      .trim()
      .replace(/^W\//, '')
      .replace(/^"(.*)"$/, '$1'),
  )
  return tags.includes('*') || tags.includes(etag)
}

/** Undefined for an invalid date, because such a condition is ignored (RFC 9110, 13.1.3). */
function changedSince(object: Validators, date: string | undefined): boolean | undefined {
  const since = Date.parse(date ?? '')
  // Dates in headers have whole seconds. The date of the object is more precise.
  return Number.isNaN(since) ? undefined : Math.floor(object.lastModified / 1000) * 1000 > since
}
