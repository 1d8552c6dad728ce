import { attributesOf } from '../disk/attributes.js'
import { copySource, requireCopyConditions } from '../request/copy-source.js'
import { OWNER } from './bucket-handlers.js'
import { S3Error } from '../errors.js'
import { isoDate, MAX_SINGLE_BYTES, quoted, type Operation } from './operation.js'
import { keyEncoder, MAX_ENTRIES } from './list-handlers.js'
import { writeConditions } from './object-handlers.js'
import { readText } from '../request/payload.js'
import { parseCopyRange } from '../request/ranges.js'
import { listUploads } from './upload-listing.js'
import type { ListedPart, Upload } from '../disk/multipart-uploads.js'
import { childText, parseXml, requireChildren } from './xml-parser.js'
import type { XmlFields } from './xml-writer.js'

const MAX_PARTS = 10_000
/** Enough for ten thousand parts with checksums, in the longest form that clients write. */
const MAX_COMPLETE_BYTES = 4 * 1024 * 1024
const PART_FIELDS = ['PartNumber', 'ETag', 'ChecksumCRC32', 'ChecksumCRC32C', 'ChecksumCRC64NVME', 'ChecksumSHA1']
PART_FIELDS.push('ChecksumSHA256')
const MAX_COMPLETE_ELEMENTS = 10 + MAX_PARTS * (1 + PART_FIELDS.length)

export async function createUpload(operation: Operation): Promise<void> {
  const { request, reply } = operation
  const upload = await operation.bucket().uploads.create(request.key, attributesOf(request))
  const fields = { Bucket: request.bucket, Key: request.key, UploadId: upload.id }
  reply.xml('InitiateMultipartUploadResult', fields)
}

export async function uploadPart(operation: Operation): Promise<void> {
  const body = operation.body(operation.maxSingleBytes)
  const part = await operation.bucket().uploads.putPart(uploadOf(operation), partNumberOf(operation), body)
  operation.reply.empty(200, { etag: quoted(part.etag) })
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
    const body = { length, expectedMd5: undefined, chunks: reply.whileWanted(object.read(range)) }
    const part = await operation.bucket().uploads.putPart(upload, partNumber, body)
    reply.xml('CopyPartResult', { LastModified: isoDate(part.lastModified), ETag: quoted(part.etag) })
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
    Part: parts.map(({ partNumber, lastModified, etag, size }) => ({
      PartNumber: partNumber,
      LastModified: isoDate(lastModified),
      ETag: quoted(etag),
      Size: size,
    })),
  })
}

export async function completeUpload(operation: Operation): Promise<void> {
  const { request, reply, limits } = operation
  const upload = uploadOf(operation)
  const listed = parseParts(await readText(operation.document(MAX_COMPLETE_BYTES)))
  const { uploads } = operation.bucket()
  const record = await uploads.complete(upload, listed, writeConditions(request), limits.maxObjectBytes)
  reply.xml('CompleteMultipartUploadResult', {
    Location: `/${request.bucket}/${request.key}`,
    Bucket: request.bucket,
    Key: request.key,
    ETag: quoted(record.etag),
  })
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
  }
}

function uploadOf(operation: Operation): Upload {
  const { request } = operation
  return operation.bucket().uploads.get(request.parameter('uploadId'), request.key)
}

function partNumberOf({ request }: Operation): number {
  return requirePartNumber(request.parameter('partNumber'))
}

function requirePartNumber(text: string | undefined): number {
  const partNumber = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0
  if (partNumber >= 1 && partNumber <= MAX_PARTS) return partNumber
  throw new S3Error('InvalidArgument', `The part number must be a whole number from 1 to ${MAX_PARTS}.`)
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
    return { partNumber: requirePartNumber(childText(part, 'PartNumber')?.trim()), etag }
  })
}
