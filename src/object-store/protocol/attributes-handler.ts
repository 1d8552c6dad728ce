import { S3Error } from '../errors.js'
import type { ObjectRecord } from '../disk/object-record.js'
import { checksumFields } from './checksum-fields.js'
import { httpDate, type Operation } from './operation.js'
import { elementOf } from '../request/checksums.js'
import type { S3Request } from '../request/s3-request.js'
import type { XmlFields } from './xml-writer.js'

const ATTRIBUTES = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize']
const MAX_PARTS = 1000

/** The facts of an object that the client asks for, without its body. */
export async function getObjectAttributes(operation: Operation): Promise<void> {
  const { request, reply } = operation
  const wanted = (request.header('x-amz-object-attributes') ?? '').split(',').map(name => name.trim())
  if (!wanted.every(name => ATTRIBUTES.includes(name))) {
    throw new S3Error('InvalidArgument', `x-amz-object-attributes must be a list of ${ATTRIBUTES.join(', ')}.`)
  }
  const object = await operation.bucket().open(request.key)
  try {
    const { record } = object
    const all: XmlFields = {
      ETag: record.etag,
      Checksum: record.checksum && checksumFields(record.checksum),
      ObjectParts: partsFields(record, request),
      StorageClass: 'STANDARD',
      ObjectSize: record.size,
    }
    const fields = Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)))
    reply.xml('GetObjectAttributesResponse', fields, { 'last-modified': httpDate(record.lastModified) })
  } finally {
    await object.close()
  }
}

function partsFields({ multipart, checksum }: ObjectRecord, request: S3Request): XmlFields | undefined {
  if (!multipart) return undefined
  const maxParts = wholeNumber(request, 'x-amz-max-parts') ?? MAX_PARTS
  const marker = wholeNumber(request, 'x-amz-part-number-marker') ?? 0
  const rest = multipart.parts.filter(([partNumber]) => partNumber > marker)
  const parts = rest.slice(0, Math.min(maxParts, MAX_PARTS))
  return {
    PartsCount: multipart.parts.length,
    PartNumberMarker: marker,
    NextPartNumberMarker: parts.at(-1)?.[0] ?? marker,
    MaxParts: maxParts,
    IsTruncated: parts.length < rest.length,
    Part: parts.map(([partNumber, size, value]) => ({
      PartNumber: partNumber,
      Size: size,
      ...(checksum && value !== undefined ? { [elementOf(checksum.algorithm)]: value } : {}),
    })),
  }
}

function wholeNumber(request: S3Request, name: string): number | undefined {
  const text = request.header(name)
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text)) throw new S3Error('InvalidArgument', `${name} must be a whole number.`)
  return Number(text)
}
