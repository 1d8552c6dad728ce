import { attributesOf } from '../disk/attributes.js'
import { copySource, requireCopyConditions } from '../request/copy-source.js'
import { OWNER } from './bucket-handlers.js'
import { S3Error } from '../errors.js'
import { isoDate, MAX_SINGLE_BYTES, quotedTag, type Operation } from './operation.js'
import { keyEncoder, MAX_ENTRIES } from './list-handlers.js'
import { writeConditions } from './object-handlers.js'
import { copiedBody, readText } from '../request/payload.js'
import { parseCopyRange } from '../request/ranges.js'
import { listUploads } from './upload-listing.js'
import type { Bucket } from '../disk/bucket.js'
import type { ObjectRecord, Upload } from '../disk/object-record.js'
import { multipartEtag, type ListedPart } from '../disk/upload-completion.js'
import { CHECKSUM_ELEMENTS, checksumFields, givenInElements, givenInHeaders, valueHeader } from './checksum-fields.js'
import { MAX_PARTS, requirePartNumber } from './part-ranges.js'
import { elementOf, parseAlgorithm, parseType, type StoredChecksum } from '../request/checksums.js'
import type { S3Request } from '../request/s3-request.js'
import { childText, parseXml, requireChildren } from './xml-parser.js'
import type { XmlFields } from './xml-writer.js'

/** Enough for ten thousand parts with checksums, in the longest form that clients write. */
const MAX_COMPLETE_BYTES = 4 * 1024 * 1024
const PART_FIELDS = ['PartNumber', 'ETag', ...CHECKSUM_ELEMENTS]
const MAX_COMPLETE_ELEMENTS = 10 + MAX_PARTS * (1 + PART_FIELDS.length)

export async function createUpload(operation: Operation): Promise<void> {
  const { request, reply } = operation
  const named = request.header('x-amz-checksum-algorithm')
  const type = request.header('x-amz-checksum-type')
  if (named === undefined && type !== undefined) {
    throw new S3Error('InvalidRequest', 'x-amz-checksum-type needs x-amz-checksum-algorithm.')
  }
  const algorithm = named === undefined ? undefined : parseAlgorithm(named)
  const checksum = algorithm && { algorithm, type: parseType(algorithm, type) }
  const upload = await operation.bucket().uploads.create(request.key, attributesOf(request), checksum)
  const fields = { Bucket: request.bucket, Key: request.key, UploadId: upload.id }
  const headers = checksum && { 'x-amz-checksum-algorithm': named, 'x-amz-checksum-type': checksum.type }
  reply.xml('InitiateMultipartUploadResult', fields, headers)
}

export async function uploadPart(operation: Operation): Promise<void> {
  const upload = uploadOf(operation)
  const body = operation.body({ maxBytes: operation.maxSingleBytes, algorithm: upload.checksum?.algorithm })
  const part = await operation.bucket().uploads.putPart(upload, partNumberOf(operation), body)
  const { algorithm, value } = part.checksum ?? {}
  operation.reply.empty(200, {
    etag: quotedTag(part.etag),
    ...(algorithm && value ? valueHeader(algorithm, value) : {}),
  })
}

export async function uploadPartCopy(operation: Operation): Promise<void> {
  const { request, reply, buckets } = operation
  const upload = uploadOf(operation)
  const partNumber = partNumberOf(operation)
  const source = copySource(request)
  const object = await buckets.get(source.bucket).open(source.key)
  try {
    requireCopyConditions(request, object.record)
    const { size } = object.record
    const range = parseCopyRange(request.header('x-amz-copy-source-range'), size) ?? { start: 0, end: size }
    const length = range.end - range.start
    if (length > MAX_SINGLE_BYTES) throw new S3Error('EntityTooLarge')
    const body = copiedBody(length, reply.whileWanted(object.read(range)), upload.checksum?.algorithm)
    const part = await operation.bucket().uploads.putPart(upload, partNumber, body)
    reply.xml('CopyPartResult', {
      LastModified: isoDate(part.lastModified),
      ETag: quotedTag(part.etag),
      ...partChecksum(part.checksum),
    })
  } finally {
    await object.close()
  }
}

export function listParts(operation: Operation): void {
  const { request, reply } = operation
  const upload = uploadOf(operation)
  const marker = request.has('part-number-marker') ? request.count('part-number-marker', MAX_PARTS) : 0
  const maxParts = request.count('max-parts', MAX_ENTRIES)
  const rest = [...upload.parts.values()].filter(part => part.partNumber > marker)
  const parts = rest.sort((a, b) => a.partNumber - b.partNumber).slice(0, maxParts)
  const truncated = parts.length > 0 && parts.length < rest.length
  reply.xml('ListPartsResult', {
    Bucket: request.bucket,
    Key: keyEncoder(request)(upload.key),
    UploadId: upload.id,
    Initiator: OWNER,
    Owner: OWNER,
    StorageClass: 'STANDARD',
    PartNumberMarker: marker,
    NextPartNumberMarker: truncated ? parts.at(-1)?.partNumber : undefined,
    MaxParts: maxParts,
    EncodingType: request.parameter('encoding-type'),
    IsTruncated: truncated,
    ...kindFields(upload),
    Part: parts.map(({ partNumber, lastModified, etag, size, checksum }) => ({
      PartNumber: partNumber,
      LastModified: isoDate(lastModified),
      ETag: quotedTag(etag),
      Size: size,
      ...partChecksum(checksum),
    })),
  })
}

export async function completeUpload(operation: Operation): Promise<void> {
  const { request, reply } = operation
  const bucket = operation.bucket()
  // The checksum in the headers is that of the object.
  const document = operation.document(MAX_COMPLETE_BYTES, { ignoreChecksums: true })
  const listed = parseParts(await readText(document))
  const record = await complete(operation, bucket, listed)
  reply.xml('CompleteMultipartUploadResult', {
    Location: `/${request.bucket}/${request.key}`,
    Bucket: request.bucket,
    Key: request.key,
    ETag: quotedTag(record.etag),
    ...checksumFields(record.checksum),
  })
}

/** A client whose answer was lost asks again, and gets the same answer as long as the object is there. */
async function complete(operation: Operation, bucket: Bucket, listed: readonly ListedPart[]): Promise<ObjectRecord> {
  const { request, limits } = operation
  const given = givenInHeaders(request)
  if (given.length > 1) throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum-* header.')
  const order = {
    listed,
    maxBytes: limits.maxObjectBytes,
    size: objectSizeOf(request),
    checksum: given[0],
    type: request.header('x-amz-checksum-type'),
  }
  try {
    return await bucket.uploads.complete(uploadOf(operation), order, writeConditions(request))
  } catch (error) {
    if (!(error instanceof S3Error && error.code === 'NoSuchUpload')) throw error
    return (await completedBefore(operation, bucket, listed)) ?? Promise.reject(error)
  }
}

async function completedBefore({ request }: Operation, bucket: Bucket, listed: readonly ListedPart[]) {
  const uploadId = request.parameter('uploadId')
  if (uploadId === undefined || bucket.index.get(request.key)?.uploadId !== uploadId) return undefined
  const object = await bucket.open(request.key)
  try {
    const { multipart, etag } = object.record
    return multipart?.uploadId === uploadId && multipartEtag(listed) === etag ? object.record : undefined
  } finally {
    await object.close()
  }
}

function objectSizeOf(request: S3Request): number | undefined {
  const text = request.header('x-amz-mp-object-size')
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text)) throw new S3Error('InvalidArgument', 'x-amz-mp-object-size must be a number of bytes.')
  return Number(text)
}

export async function abortUpload(operation: Operation): Promise<void> {
  await operation.bucket().uploads.abort(uploadOf(operation))
  operation.reply.empty(204)
}

export function listMultipartUploads(operation: Operation): void {
  const { request, reply } = operation
  const bucket = operation.bucket()
  const encode = keyEncoder(request)
  const query = {
    prefix: request.parameter('prefix') ?? '',
    delimiter: request.parameter('delimiter') ?? '',
    keyMarker: request.parameter('key-marker') ?? '',
    uploadIdMarker: request.parameter('upload-id-marker') ?? '',
    maxUploads: request.count('max-uploads', MAX_ENTRIES),
  }
  const page = listUploads(bucket.uploads.all(), query)
  reply.xml('ListMultipartUploadsResult', {
    Bucket: bucket.name,
    KeyMarker: encode(query.keyMarker),
    UploadIdMarker: query.uploadIdMarker,
    NextKeyMarker: page.next && encode(page.next.keyMarker),
    NextUploadIdMarker: page.next?.uploadIdMarker,
    Prefix: encode(query.prefix),
    Delimiter: query.delimiter === '' ? undefined : encode(query.delimiter),
    MaxUploads: query.maxUploads,
    EncodingType: request.parameter('encoding-type'),
    IsTruncated: page.next !== undefined,
    Upload: page.uploads.map(upload => uploadFields(upload, encode)),
    CommonPrefixes: page.commonPrefixes.map(prefix => ({ Prefix: encode(prefix) })),
  })
}

function uploadFields(upload: Upload, encode: (key: string) => string): XmlFields {
  return {
    Key: encode(upload.key),
    UploadId: upload.id,
    Initiator: OWNER,
    Owner: OWNER,
    StorageClass: 'STANDARD',
    Initiated: isoDate(upload.initiated),
    ...kindFields(upload),
  }
}

function kindFields({ checksum }: Upload): XmlFields {
  return checksum ? { ChecksumAlgorithm: checksum.algorithm.toUpperCase(), ChecksumType: checksum.type } : {}
}

function partChecksum(checksum: StoredChecksum | undefined): XmlFields {
  return checksum ? { [elementOf(checksum.algorithm)]: checksum.value } : {}
}

function uploadOf(operation: Operation): Upload {
  const { request } = operation
  return operation.bucket().uploads.get(request.parameter('uploadId'), request.key)
}

function partNumberOf({ request }: Operation): number {
  return requirePartNumber(request.parameter('partNumber'))
}

function parseParts(text: string): ListedPart[] {
  const root = parseXml(text, MAX_COMPLETE_ELEMENTS)
  const parts = root.children.filter(child => child.name === 'Part')
  if (root.name !== 'CompleteMultipartUpload' || parts.length === 0 || parts.length > MAX_PARTS) {
    throw new S3Error('MalformedXML')
  }
  requireChildren(root, ['Part'])
  return parts.map(part => {
    requireChildren(part, PART_FIELDS)
    const etag = childText(part, 'ETag')?.trim().replaceAll('"', '')
    if (etag === undefined) throw new S3Error('MalformedXML')
    const partNumber = requirePartNumber(childText(part, 'PartNumber')?.trim())
    return { partNumber, etag, checksums: givenInElements(part) }
  })
}
