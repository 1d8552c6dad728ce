import { OWNER } from './bucket-handlers.js'
import { S3Error } from '../errors.js'
import { isoDate, quotedTag, type Operation } from './operation.js'
import { listPage, type ListPage, type ListQuery } from './listing.js'
import type { S3Request } from '../request/s3-request.js'
import { uriEncode } from '../request/signature-v4.js'
import type { XmlFields } from './xml-writer.js'

export const MAX_ENTRIES = 1000

/** The encoding of keys in a listing: `encoding-type=url` is for keys that XML 1.0 cannot carry. */
export function keyEncoder(request: S3Request): (key: string) => string {
  const type = request.parameter('encoding-type')
  if (type !== undefined && type !== 'url') throw new S3Error('InvalidArgument', 'encoding-type must be url.')
  return type === 'url' ? key => uriEncode(key, true) : key => key
}

export function listObjectsV1(operation: Operation): void {
  const { request } = operation
  const bucket = operation.bucket()
  const encode = keyEncoder(request)
  const query = listQuery(request, request.parameter('marker') ?? '')
  const page = listPage(bucket.index, query)
  operation.reply.xml('ListBucketResult', {
    ...commonFields(bucket.name, request, query, page),
    Marker: encode(query.after),
    NextMarker: page.next === undefined ? undefined : encode(page.next),
    ...entries(page, encode, true),
  })
}

export function listObjectsV2(operation: Operation): void {
  const { request } = operation
  const bucket = operation.bucket()
  const encode = keyEncoder(request)
  const token = request.parameter('continuation-token')
  const startAfter = request.parameter('start-after')
  const query = listQuery(request, token === undefined ? (startAfter ?? '') : fromToken(token))
  const page = listPage(bucket.index, query)
  operation.reply.xml('ListBucketResult', {
    ...commonFields(bucket.name, request, query, page),
    KeyCount: page.contents.length + page.commonPrefixes.length,
    ContinuationToken: token,
    NextContinuationToken: page.next === undefined ? undefined : toToken(page.next),
    StartAfter: startAfter === undefined ? undefined : encode(startAfter),
    ...entries(page, encode, request.parameter('fetch-owner') === 'true'),
  })
}

function listQuery(request: S3Request, after: string): ListQuery {
  const prefix = request.parameter('prefix') ?? ''
  const delimiter = request.parameter('delimiter') ?? ''
  return { prefix, delimiter, after, maxKeys: request.count('max-keys', MAX_ENTRIES) }
}

function commonFields(name: string, request: S3Request, query: ListQuery, page: ListPage): XmlFields {
  const encode = keyEncoder(request)
  return {
    Name: name,
    Prefix: encode(query.prefix),
    Delimiter: query.delimiter === '' ? undefined : encode(query.delimiter),
    MaxKeys: query.maxKeys,
    EncodingType: request.parameter('encoding-type'),
    IsTruncated: page.next !== undefined,
  }
}

function entries(page: ListPage, encode: (key: string) => string, withOwner: boolean): XmlFields {
  const contents = page.contents.map(({ key, entry }) => ({
    Key: encode(key),
    LastModified: isoDate(entry.lastModified),
    ETag: quotedTag(entry.etag),
    Size: entry.size,
    StorageClass: 'STANDARD',
    Owner: withOwner ? OWNER : undefined,
  }))
  return { Contents: contents, CommonPrefixes: page.commonPrefixes.map(prefix => ({ Prefix: encode(prefix) })) }
}

function toToken(after: string): string {
  return Buffer.from(after, 'utf8').toString('base64url')
}

function fromToken(token: string): string {
  const after = Buffer.from(token, 'base64url').toString('utf8')
  if (after === '' || toToken(after) !== token) {
    throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect.')
  }
  return after
}
