import { validateHeaderValue, type OutgoingHttpHeaders } from 'node:http'
import { S3Error } from '../errors.js'
import type { S3Request } from '../request/s3-request.js'
import { utf8Bytes } from '../request/signature-v4.js'

/** The headers and metadata that a client stores with an object and gets back with it. */
export interface Attributes {
  readonly headers: Readonly<Record<string, string>>
  /** x-amz-meta-*, without that prefix; one character for each byte. */
  readonly metadata: Readonly<Record<string, string>>
}

const KEPT = ['content-type', 'content-disposition', 'content-encoding', 'content-language', 'cache-control', 'expires']
const META = 'x-amz-meta-'
const MAX_METADATA_BYTES = 2048
const STORAGE_CLASSES = ['STANDARD', 'REDUCED_REDUNDANCY']

export function attributesOf(request: S3Request): Attributes {
  const storageClass = request.header('x-amz-storage-class')
  if (storageClass !== undefined && !STORAGE_CLASSES.includes(storageClass)) throw new S3Error('InvalidStorageClass')

  const headers: Record<string, string> = { 'content-type': 'binary/octet-stream' }
  for (const name of KEPT) {
    const value = request.header(name)
    const kept = name === 'content-encoding' ? withoutAwsChunked(value) : value
    if (kept !== undefined && kept !== '') headers[name] = kept
  }
  const metadata: Record<string, string> = Object.create(null) as Record<string, string>
  let bytes = 0
  for (const name of request.headerNames()) {
    if (!name.startsWith(META)) continue
    const value = request.header(name) ?? ''
    metadata[name.slice(META.length)] = value
    bytes += name.length - META.length + value.length
  }
  if (bytes > MAX_METADATA_BYTES) throw new S3Error('MetadataTooLarge')
  return { headers, metadata }
}

/** Response headers for an object. The response-* parameters of a signed query override the stored values. */
export function attributeHeaders(attributes: Attributes, request: S3Request): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ...attributes.headers }
  for (const [name, value] of Object.entries(attributes.metadata)) headers[META + name] = value
  for (const name of KEPT) {
    const text = request.parameter(`response-${name}`)
    if (text === undefined) continue
    const value = utf8Bytes(text)
    try {
      validateHeaderValue(name, value)
    } catch (cause) {
      throw new S3Error('InvalidArgument', `response-${name} is not a usable header value.`, { cause })
    }
    headers[name] = value
  }
  return headers
}

/** aws-chunked is an encoding of the transfer, not of the object. */
function withoutAwsChunked(encoding: string | undefined): string | undefined {
  return encoding
    ?.split(',')
    .map(coding => coding.trim())
    .filter(coding => coding.toLowerCase() !== 'aws-chunked')
    .join(',')
}
