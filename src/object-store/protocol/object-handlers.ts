import type { OutgoingHttpHeaders } from 'node:http'
import { attributeHeaders, attributesOf } from '../disk/attributes.js'
import { matches, readConditions, requireReadable, type WriteConditions } from '../request/conditions.js'
import { copySource, requireCopyConditions } from '../request/copy-source.js'
import { S3Error } from '../errors.js'
import { checksumFields, checksumHeaders, valueHeader } from './checksum-fields.js'
import { httpDate, isoDate, MAX_SINGLE_BYTES, quotedTag, type Operation } from './operation.js'
import type { ObjectRecord } from '../disk/object-record.js'
import { partRange, requirePartNumber } from './part-ranges.js'
import { parseAlgorithm } from '../request/checksums.js'
import { copiedBody } from '../request/payload.js'
import { parseRange, type HalfOpenRange } from '../request/ranges.js'
import type { S3Request } from '../request/s3-request.js'
import type { ObjectVersion } from '../disk/object-version.js'

export async function getObject(operation: Operation): Promise<void> {
  const { request, reply } = operation
  const object = await operation.bucket().open(request.key)
  try {
    if (isUnchanged(request, object)) return reply.empty(304, validatorHeaders(object.record))
    const { size, multipart } = object.record
    const part = partOf(request)
    const range = part === undefined ? rangeOf(request, object.record) : partRange(object.record, part)
    const { start, end } = range ?? { start: 0, end: size }
    const headers: OutgoingHttpHeaders = {
      ...attributeHeaders(object.record, request),
      ...validatorHeaders(object.record),
      ...(request.header('x-amz-checksum-mode') === undefined ? {} : checksumsOf(object.record, range, part)),
      'accept-ranges': 'bytes',
      // Last, because Node changes the characters of a Content-Disposition that comes behind it.
      'content-length': end - start,
    }
    // There is no range of no bytes.
    if (range && start < end) headers['content-range'] = `bytes ${start}-${end - 1}/${size}`
    if (part !== undefined && multipart) headers['x-amz-mp-parts-count'] = multipart.parts.length
    const status = range ? 206 : 200
    if (request.method === 'HEAD') reply.empty(status, headers)
    else await reply.stream(status, headers, object.read({ start, end }))
  } finally {
    await object.close()
  }
}

export async function putObject(operation: Operation): Promise<void> {
  const { request, reply } = operation
  const bucket = operation.bucket()
  const attributes = attributesOf(request)
  const body = operation.body({ maxBytes: operation.maxSingleBytes })
  const record = await bucket.put(request.key, body, attributes, writeConditions(request))
  reply.empty(200, { etag: quotedTag(record.etag), ...checksumHeaders(record.checksum) })
}

export async function copyObject(operation: Operation): Promise<void> {
  const { request, reply } = operation
  const bucket = operation.bucket()
  const source = copySource(request)
  const directive = request.header('x-amz-metadata-directive') ?? 'COPY'
  if (directive !== 'COPY' && directive !== 'REPLACE')
    throw new S3Error('InvalidArgument', 'Unknown metadata directive.')
  const ontoItself = source.bucket === request.bucket && source.key === request.key
  if (ontoItself && directive === 'COPY') {
    throw new S3Error('InvalidRequest', 'An object can be copied onto itself only to change its metadata.')
  }
  const object = await operation.buckets.get(source.bucket).open(source.key)
  try {
    requireCopyConditions(request, object.record)
    const { size } = object.record
    if (size > MAX_SINGLE_BYTES) throw new S3Error('InvalidRequest', 'The copy source is too large for one request.')
    const { headers, metadata } = directive === 'COPY' ? object.record : attributesOf(request)
    const named = request.header('x-amz-checksum-algorithm')
    const algorithm = named === undefined ? object.record.checksum?.algorithm : parseAlgorithm(named)
    const body = copiedBody(size, reply.whileWanted(object.read({ start: 0, end: size })), algorithm)
    const record = await bucket.put(request.key, body, { headers, metadata }, writeConditions(request))
    reply.xml('CopyObjectResult', {
      LastModified: isoDate(record.lastModified),
      ETag: quotedTag(record.etag),
      ...checksumFields(record.checksum),
    })
  } finally {
    await object.close()
  }
}

export async function deleteObject(operation: Operation): Promise<void> {
  const { request } = operation
  await operation.bucket().remove(request.key, {
    ifMatch: request.header('if-match'),
    ifLastModified: request.header('x-amz-if-match-last-modified-time'),
    ifSize: request.header('x-amz-if-match-size'),
  })
  operation.reply.empty(204)
}

export function writeConditions(request: S3Request): WriteConditions {
  return { ifMatch: request.header('if-match'), ifNoneMatch: request.header('if-none-match') }
}

function isUnchanged(request: S3Request, { record }: ObjectVersion): boolean {
  try {
    requireReadable(record, readConditions(request))
    return false
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NotModified') return true
    throw error
  }
}

/** If-Range (RFC 9110, 13.1.5): the rest of this version, or all of another one. */
function rangeOf(request: S3Request, record: ObjectRecord) {
  const ifRange = request.header('if-range')
  const current = ifRange === undefined || matches(ifRange, record.etag) || ifRange === httpDate(record.lastModified)
  return current ? parseRange(request.header('range'), record.size) : undefined
}

function validatorHeaders({ etag, lastModified }: ObjectRecord): OutgoingHttpHeaders {
  return { etag: quotedTag(etag), 'last-modified': httpDate(lastModified) }
}

function partOf(request: S3Request): number | undefined {
  const text = request.parameter('partNumber')
  if (text === undefined) return undefined
  if (request.header('range') !== undefined) {
    throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter.')
  }
  return requirePartNumber(text)
}

/** The checksum of the bytes that are sent, as far as it is known: of the whole object, or of one part. */
function checksumsOf(
  { checksum, multipart }: ObjectRecord,
  range: HalfOpenRange | undefined,
  part: number | undefined,
): OutgoingHttpHeaders {
  if (!range || (part !== undefined && !multipart)) return checksumHeaders(checksum)
  const [, , value] = (part === undefined ? undefined : multipart?.parts[part - 1]) ?? []
  return checksum && value !== undefined ? valueHeader(checksum.algorithm, value) : {}
}
