import { validateHeaderName, validateHeaderValue, type IncomingMessage } from 'node:http'
import { S3Error } from '../errors.js'
import { utf8Bytes, type NamedValues, type SignedRequest } from './signature-v4.js'

const MAX_KEY_BYTES = 1024
/** Parameters of a presigned query that are about the signature only. */
const SIGNATURE_PARAMETERS = new Set([
  ...['X-Amz-Algorithm', 'X-Amz-Content-Sha256', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires'],
  ...['X-Amz-Signature', 'X-Amz-SignedHeaders'],
])

/** The target of a request, path-style only: `/bucket/key?query`. */
export interface RequestTarget {
  /** Percent-decoded. */
  readonly path: string
  readonly query: NamedValues
  readonly bucket: string | undefined
  readonly key: string | undefined
}

/** One request as the handlers see it: decoded, and its signature already verified. */
export class S3Request {
  readonly #parameters = new Map<string, string>()
  /** A presigned query carries what a signed request has in x-amz-* headers. */
  readonly #inQuery = new Map<string, string>()

  /**
   * @throws {S3Error} InvalidArgument when a parameter is given twice, or in the query and in a header, or stands for a
   * header that no request could have
   */
  constructor(
    readonly incoming: IncomingMessage,
    readonly target: RequestTarget,
  ) {
    for (const [name, value] of target.query) {
      if (SIGNATURE_PARAMETERS.has(name)) continue
      const header = name.toLowerCase()
      const inHeader = header.startsWith('x-amz-')
      const [map, key] = inHeader ? ([this.#inQuery, header] as const) : ([this.#parameters, name] as const)
      if (map.has(key) || (inHeader && incoming.headers[header] !== undefined)) {
        throw new S3Error('InvalidArgument', `${name} is given twice.`)
      }
      map.set(key, inHeader ? headerValue(header, value) : value)
    }
  }

  get method(): string {
    return this.incoming.method ?? ''
  }

  get bucket(): string {
    if (this.target.bucket === undefined) throw new S3Error('InvalidBucketName')
    return this.target.bucket
  }

  get key(): string {
    if (this.target.key === undefined) throw new S3Error('InvalidRequest', 'An object key is needed.')
    return this.target.key
  }

  parameter(name: string): string | undefined {
    return this.#parameters.get(name)
  }

  has(name: string): boolean {
    return this.#parameters.has(name)
  }

  parameterNames(): string[] {
    return [...this.#parameters.keys()]
  }

  /** A whole number from 0 to `max`; larger ones count as `max`. */
  count(name: string, max: number): number {
    const text = this.parameter(name)
    if (text === undefined || text === '') return max
    if (!/^\d{1,10}$/.test(text)) throw new S3Error('InvalidArgument', `${name} must be a whole number.`)
    return Math.min(Number(text), max)
  }

  /** One character for each byte. An x-amz-* header may be in a presigned query. */
  header(name: string): string | undefined {
    const value = this.incoming.headers[name] ?? this.#inQuery.get(name)
    return Array.isArray(value) ? value.join(', ') : value
  }

  /** In lower case, with those of a presigned query. */
  headerNames(): string[] {
    return [...Object.keys(this.incoming.headers), ...this.#inQuery.keys()]
  }
}

export function parseTarget(url: string): RequestTarget {
  if (!url.startsWith('/')) throw new S3Error('InvalidURI')
  const queryAt = url.indexOf('?')
  const path = decode(queryAt < 0 ? url : url.slice(0, queryAt))
  const slash = path.indexOf('/', 1)
  const bucket = (slash < 0 ? path.slice(1) : path.slice(1, slash)) || undefined
  const key = (slash < 0 ? '' : path.slice(slash + 1)) || undefined
  requireUsableKey(key)
  return { path, bucket, key, query: parseQuery(queryAt < 0 ? '' : url.slice(queryAt + 1)) }
}

/** A percent-encoded query can carry what no header can: as metadata, it could not be sent back with the object. */
function headerValue(name: string, text: string): string {
  const value = utf8Bytes(text)
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  } catch (cause) {
    throw new S3Error('InvalidArgument', 'A parameter stands for a header that is malformed.', { cause })
  }
  return value
}

export function requireUsableKey(key: string | undefined): void {
  if (key === undefined) return
  if (Buffer.byteLength(key, 'utf8') > MAX_KEY_BYTES) throw new S3Error('KeyTooLongError')
  if (key.includes('\0')) throw new S3Error('InvalidArgument', 'A key must not contain a NUL character.')
}

/** The request as the signature covers it. Repeated headers count, so the raw list is used, not Node's merged one. */
export function signedView(incoming: IncomingMessage, target: RequestTarget): SignedRequest {
  const { rawHeaders } = incoming
  const headers: [string, string][] = []
  rawHeaders.forEach((name, index) => {
    if (index % 2 === 0) headers.push([name.toLowerCase(), rawHeaders[index + 1] ?? ''])
  })
  return { method: incoming.method ?? '', path: target.path, query: target.query, headers }
}

function parseQuery(text: string): NamedValues {
  const fields = text.split('&').filter(field => field !== '')
  return fields.map(field => {
    const equals = field.indexOf('=')
    const [name, value] = equals < 0 ? [field, ''] : [field.slice(0, equals), field.slice(equals + 1)]
    return [decode(name.replaceAll('+', ' ')), decode(value.replaceAll('+', ' '))] as const
  })
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new S3Error('InvalidURI', undefined, { cause })
  }
}
