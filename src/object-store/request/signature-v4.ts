import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { S3Error } from '../errors.js'

export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const ALGORITHM = 'AWS4-HMAC-SHA256'
/** The answer of AWS to Signature Version 2, in a header and in a presigned query. */
const OTHER_MECHANISM = `The authorization mechanism is not supported: Signature Version 4 is needed. Please use ${ALGORITHM}.`
const MAX_SKEW_MS = 15 * 60_000
const MAX_EXPIRES_SECONDS = 7 * 24 * 3600

export interface SigningCredentials {
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
}

export type NamedValues = readonly (readonly [name: string, value: string])[]

export interface SignedRequest {
  readonly method: string
  /** Percent-decoded. S3 signs the path as it is: no normalisation of `.` and `..`. */
  readonly path: string
  /** Percent-decoded, in any order. */
  readonly query: NamedValues
  /** The headers as received, including repeated names; names in lower case, values with one character for each byte. */
  readonly headers: NamedValues
}

/** The facts that the body is checked against: its declared hash, and the chain of signatures of a chunked body. */
export interface VerifiedSignature {
  readonly contentSha256: string
  readonly signingKey: Buffer
  readonly timestamp: string
  readonly scope: string
  readonly signature: string
}

interface Claim {
  readonly credential: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  readonly timestamp: string
  readonly contentSha256: string
  readonly malformed: 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError'
}

/**
 * Signature Version 4 as S3 uses it ("Authenticating Requests", S3 API reference): by header or by query.
 * Throws the S3Error that AWS answers with; `nowMs` is the server's clock.
 */
export function verifySignature(
  request: SignedRequest,
  credentials: SigningCredentials,
  nowMs: number,
): VerifiedSignature {
  const header = valueOf(request.headers, 'authorization')
  const presigned = request.query.some(([name]) => name === 'X-Amz-Algorithm' || name === 'X-Amz-Signature')
  if (header !== undefined && presigned) {
    throw new S3Error('InvalidArgument', 'Only one auth mechanism allowed: a header or query parameters, not both.')
  }
  if (header === undefined && !presigned) {
    const version2 = request.query.some(([name]) => name === 'AWSAccessKeyId')
    throw version2 ? new S3Error('InvalidRequest', OTHER_MECHANISM) : new S3Error('AccessDenied')
  }
  const claim = header === undefined ? queryClaim(request, nowMs) : headerClaim(request, header, nowMs)

  const [accessKey, date, region, service, terminator, ...rest] = claim.credential.split('/')
  if (terminator !== 'aws4_request' || service !== 's3' || rest.length > 0 || date !== claim.timestamp.slice(0, 8)) {
    throw new S3Error(claim.malformed, 'The credential must be <key>/<date of the request>/<region>/s3/aws4_request.')
  }
  if (accessKey !== credentials.accessKey) throw new S3Error('InvalidAccessKeyId')
  if (region !== credentials.region) {
    throw new S3Error(claim.malformed, `The region '${region}' is wrong; expecting '${credentials.region}'.`)
  }
  requireSigned(request, claim.signedHeaders)

  const scope = `${date}/${region}/s3/aws4_request`
  const signingKey = deriveKey(credentials, date)
  const expected = signRequest(request, claim, signingKey, scope)
  if (!sameHex(expected, claim.signature)) {
    // Node's clients sign UTF-8, but send characters up to U+00FF as one byte each.
    const asText = { ...request, headers: request.headers.map(([name, value]) => [name, utf8Bytes(value)] as const) }
    const other = signRequest(asText, claim, signingKey, scope)
    if (!sameHex(other, claim.signature)) throw new S3Error('SignatureDoesNotMatch')
  }
  const { contentSha256, timestamp } = claim
  return { contentSha256, signingKey, timestamp, scope, signature: claim.signature }
}

export function deriveKey(credentials: SigningCredentials, date: string): Buffer {
  const steps = [date, credentials.region, 's3', 'aws4_request']
  return steps.reduce<Buffer>((key, step) => hmac(key, step), Buffer.from(`AWS4${credentials.secretKey}`, 'utf8'))
}

export function signRequest(
  request: SignedRequest,
  { signedHeaders, timestamp, contentSha256 }: Pick<Claim, 'signedHeaders' | 'timestamp' | 'contentSha256'>,
  signingKey: Buffer,
  scope: string,
): string {
  const canonical = [
    request.method,
    uriEncode(request.path, true),
    canonicalQuery(request.query),
    ...signedHeaders.map(name => `${name}:${joinedValue(request.headers, name)}`),
    '',
    signedHeaders.join(';'),
    contentSha256,
  ].join('\n')
  const hash = createHash('sha256').update(canonical, 'latin1').digest('hex')
  return hmac(signingKey, [ALGORITHM, timestamp, scope, hash].join('\n')).toString('hex')
}

/** Compares in constant time, wherever the two texts differ. */
export function sameHex(expected: string, claimed: string): boolean {
  const given = Buffer.from(claimed, 'latin1')
  return given.length === expected.length && timingSafeEqual(Buffer.from(expected, 'latin1'), given)
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest()
}

export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex')
}

/** A text as the bytes of its UTF-8 encoding, one character for each, which is how Node carries headers. */
export function utf8Bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** RFC 3986's unreserved characters stay, all other bytes become %XX in upper case. */
export function uriEncode(text: string, keepSlash = false): string {
  const encoded = encodeURIComponent(text).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return keepSlash ? encoded.replaceAll('%2F', '/') : encoded
}

function headerClaim(request: SignedRequest, header: string, nowMs: number): Claim {
  const malformed = 'AuthorizationHeaderMalformed'
  if (!header.startsWith(`${ALGORITHM} `)) {
    throw new S3Error('InvalidRequest', OTHER_MECHANISM)
  }
  const fields = new Map<string, string>()
  for (const field of header.slice(ALGORITHM.length).split(',')) {
    const [, name = '', value = ''] = /^\s*(\w+)=(\S*)\s*$/.exec(field) ?? []
    fields.set(name, value)
  }
  const credential = fields.get('Credential')
  const signedHeaders = fields.get('SignedHeaders')
  const signature = fields.get('Signature')
  if (!credential || !signedHeaders || !signature) throw new S3Error(malformed)

  const contentSha256 = valueOf(request.headers, 'x-amz-content-sha256')
  if (contentSha256 === undefined) {
    throw new S3Error('MissingSecurityHeader', 'Missing required header for this request: x-amz-content-sha256.')
  }
  const timestamp = valueOf(request.headers, 'x-amz-date') ?? fromHttpDate(valueOf(request.headers, 'date'))
  const signedAt = parseTimestamp(timestamp)
  if (timestamp === undefined || signedAt === undefined) {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header.')
  }
  if (Math.abs(nowMs - signedAt) > MAX_SKEW_MS) throw new S3Error('RequestTimeTooSkewed')
  return { credential, signedHeaders: signedHeaders.split(';'), signature, timestamp, contentSha256, malformed }
}

function queryClaim(request: SignedRequest, nowMs: number): Claim {
  const malformed = 'AuthorizationQueryParametersError'
  const parameter = (name: string) => valueOf(request.query, name) ?? ''
  const credential = parameter('X-Amz-Credential')
  const signedHeaders = parameter('X-Amz-SignedHeaders')
  const signature = parameter('X-Amz-Signature')
  const timestamp = parameter('X-Amz-Date')
  const expires = parameter('X-Amz-Expires')
  const signedAt = parseTimestamp(timestamp)
  if (parameter('X-Amz-Algorithm') !== ALGORITHM || !credential || !signedHeaders || !signature) {
    throw new S3Error(malformed)
  }
  if (signedAt === undefined) throw new S3Error(malformed, 'X-Amz-Date must be in the ISO8601 format yyyyMMddTHHmmssZ.')
  if (!/^\d{1,7}$/.test(expires) || Number(expires) < 1 || Number(expires) > MAX_EXPIRES_SECONDS) {
    throw new S3Error(malformed, `X-Amz-Expires must be between 1 and ${MAX_EXPIRES_SECONDS} seconds.`)
  }
  if (nowMs < signedAt - MAX_SKEW_MS) throw new S3Error('AccessDenied', 'Request is not valid yet.')
  if (nowMs > signedAt + Number(expires) * 1000) throw new S3Error('AccessDenied', 'Request has expired.')
  const contentSha256 =
    valueOf(request.headers, 'x-amz-content-sha256') ?? valueOf(request.query, 'X-Amz-Content-Sha256')
  return {
    credential,
    signedHeaders: signedHeaders.split(';'),
    signature,
    timestamp,
    contentSha256: contentSha256 ?? 'UNSIGNED-PAYLOAD',
    malformed,
  }
}

/** Anyone on the way could have added an x-amz-* header that the signature does not cover. */
function requireSigned(request: SignedRequest, signedHeaders: readonly string[]): void {
  const amz = request.headers.map(([name]) => name).filter(name => name.startsWith('x-amz-'))
  if (signedHeaders.includes('host') && amz.every(name => signedHeaders.includes(name))) return
  throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed.')
}

function canonicalQuery(query: NamedValues): string {
  return query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [uriEncode(name), uriEncode(value)] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function joinedValue(headers: NamedValues, wanted: string): string {
  const values = headers.filter(([name]) => name === wanted).map(([, value]) => value)
  // Only spaces and tabs are white space here. `trim` would cut bytes of UTF-8.
  return values.map(value => value.replace(/^[ \t]+|[ \t]+$/g, '').replace(/ +/g, ' ')).join(',')
}

function valueOf(values: NamedValues, wanted: string): string | undefined {
  return values.find(([name]) => name === wanted)?.[1]
}

function parseTimestamp(timestamp: string | undefined): number | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp ?? '')
  if (!found) return undefined
  const [, year, month, day, hour, minute, second] = found
  const parsed = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(parsed) ? undefined : parsed
}

function fromHttpDate(date: string | undefined): string | undefined {
  const parsed = Date.parse(date ?? '')
  return Number.isNaN(parsed) ? undefined : new Date(parsed).toISOString().replace(/[-:]|\.\d+/g, '')
}
