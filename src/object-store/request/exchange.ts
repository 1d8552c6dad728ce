import type { Bucket } from '../disk/bucket.js'
import type { Buckets } from '../disk/buckets.js'
import { S3Error } from '../errors.js'
import { requestBody, type Body } from './payload.js'
import type { Reply } from '../protocol/reply.js'
import type { S3Request } from './s3-request.js'
import type { VerifiedSignature } from './signature-v4.js'

/** S3's largest object that is sent, or copied, in one request. */
export const MAX_SINGLE_BYTES = 5 * 1024 ** 3

export interface Limits {
  /** Largest object, whichever way it is made. */
  readonly maxObjectBytes: number
  readonly region: string
}

/** One verified request, its answer, and what it is about. */
export class Exchange {
  constructor(
    readonly request: S3Request,
    readonly reply: Reply,
    readonly buckets: Buckets,
    readonly limits: Limits,
    private readonly verified: VerifiedSignature,
  ) {}

  /** The bucket that is asked about, which must be there. */
  bucket(): Bucket {
    return this.buckets.get(this.request.bucket)
  }

  get maxSingleBytes(): number {
    return Math.min(MAX_SINGLE_BYTES, this.limits.maxObjectBytes)
  }

  /** Refuses at once what is declared too large; reads nothing yet. */
  body(maxBytes: number): Body {
    return requestBody(this.request, this.reply, this.verified, maxBytes)
  }

  /** A document that S3 bounds by the number of its entries: larger than any that can be meant is malformed. */
  document(maxBytes: number): Body {
    try {
      return this.body(maxBytes)
    } catch (error) {
      throw error instanceof S3Error && error.code === 'EntityTooLarge' ? new S3Error('MalformedXML') : error
    }
  }
}

export type Handler = (exchange: Exchange) => Promise<void> | void

export function quoted(etag: string): string {
  return `"${etag}"`
}

/** The form of dates in S3's XML documents. */
export function isoDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
