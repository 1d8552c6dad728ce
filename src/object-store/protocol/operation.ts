import type { Bucket } from '../disk/bucket.js'
import type { Buckets } from '../disk/buckets.js'
import { S3Error } from '../errors.js'
import { requestBody, type Body, type BodyOptions } from '../request/payload.js'
import type { S3Request } from '../request/s3-request.js'
import type { VerifiedSignature } from '../request/signature-v4.js'
import type { Reply } from './reply.js'

/** The largest object that S3 accepts or copies in one request. */
export const MAX_SINGLE_BYTES = 5 * 1024 ** 3

export interface Limits {
  /** Largest object, in one request or in parts. */
  readonly maxObjectBytes: number
  readonly region: string
}

/** One S3 API operation: a verified request, its reply, and what it works on. */
export class Operation {
  /** The largest object that this request may send or copy. */
  readonly maxSingleBytes: number

  constructor(
    readonly request: S3Request,
    readonly reply: Reply,
    readonly buckets: Buckets,
    readonly limits: Limits,
    private readonly verified: VerifiedSignature,
  ) {
    this.maxSingleBytes = Math.min(MAX_SINGLE_BYTES, limits.maxObjectBytes)
  }

  /**
   * The bucket that the request names.
   * @throws {S3Error} NoSuchBucket
   */
  bucket(): Bucket {
    return this.buckets.get(this.request.bucket)
  }

  /** Refuses at once a body that is declared too large; reads nothing yet. */
  body(options: BodyOptions): Body {
    return requestBody(this.request, this.reply, this.verified, options)
  }

  /** An XML document. S3 bounds its number of entries, so a document larger than any valid one is malformed. */
  document(maxBytes: number, options: Partial<BodyOptions> = {}): Body {
    try {
      return this.body({ maxBytes, ...options })
    } catch (error) {
      throw error instanceof S3Error && error.code === 'EntityTooLarge' ? new S3Error('MalformedXML') : error
    }
  }
}

export type Handler = (operation: Operation) => Promise<void> | void

export function quotedTag(etag: string): string {
  return `"${etag}"`
}

export function httpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString()
}

/** A date in the format of S3's XML documents. */
export function isoDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
