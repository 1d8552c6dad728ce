import { createHash } from 'node:crypto'
import { ALGORITHMS, CHECKSUMS, parseAlgorithm, type Algorithm, type Checksum } from './checksums.js'
import { decodeChunks, STREAMING_PAYLOADS } from './chunked-payload.js'
import { S3Error } from '../errors.js'
import type { S3Request } from './s3-request.js'
import { sameHex, type VerifiedSignature } from './signature-v4.js'

/** Bytes to be stored. Reading `chunks` to its end checks them: it throws when length, hash or checksum are wrong. */
export interface Body {
  /** Bytes that `chunks` will yield. */
  readonly length: number
  /** The client's Content-MD5 in lower-case hex. The consumer computes the MD5 anyway, and compares. */
  readonly expectedMd5: string | undefined
  /** The checksum to store with the bytes. Its value is known when `chunks` has come to its end. */
  readonly checksum?: { readonly algorithm: Algorithm; readonly value: () => string } | undefined
  readonly chunks: AsyncIterable<Buffer>
}

/** Sends `100 Continue` if the client waits for it. */
interface Inviting {
  inviteBody(): void
}

interface Proof {
  readonly expected: () => string | undefined
  readonly state: Checksum
  readonly code: 'XAmzContentSHA256Mismatch' | 'BadDigest'
}

export interface BodyOptions {
  readonly maxBytes: number
  /** An algorithm to compute even if the client sends no checksum. */
  readonly algorithm?: Algorithm | undefined
  /** The x-amz-checksum-* headers are about something else than this body. */
  readonly ignoreChecksums?: boolean
}

/** The body of a request with verified headers. Nothing is read or answered with `100 Continue` before the iteration. */
export function requestBody(
  request: S3Request,
  reply: Inviting,
  verified: VerifiedSignature,
  options: BodyOptions,
): Body {
  const streaming = Object.hasOwn(STREAMING_PAYLOADS, verified.contentSha256)
  if (!streaming && verified.contentSha256 !== 'UNSIGNED-PAYLOAD' && !/^[0-9a-f]{64}$/.test(verified.contentSha256)) {
    throw new S3Error(
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-… or a SHA-256 hash.',
    )
  }
  const length = declaredLength(request.header(streaming ? 'x-amz-decoded-content-length' : 'content-length'))
  if (length > options.maxBytes) throw new S3Error('EntityTooLarge')
  const expectedMd5 = decodeMd5(request.header('content-md5'))
  const announced = announcedTrailers(request)
  const trailers = new Map<string, string>()
  const onTrailer = (name: string, value: string): void => {
    // One that is not announced would be ignored, and one of two would be.
    if (!announced.includes(name) || trailers.has(name)) throw new S3Error('MalformedTrailerError')
    trailers.set(name, value)
  }
  const given = options.ignoreChecksums === true ? undefined : givenChecksum(request, announced, trailers)
  const algorithm = given?.algorithm ?? options.algorithm
  if (options.algorithm !== undefined && algorithm !== options.algorithm) {
    throw new S3Error('InvalidRequest', `The upload was begun with the checksum algorithm ${options.algorithm}.`)
  }
  const state = algorithm && CHECKSUMS[algorithm]()
  const proofs = signedHash(verified.contentSha256)
  // The body is compared when it has been read, and an object that is stored gets the value that was computed.
  let value = ''
  const digest = (): string => (value = state?.digest() ?? '')
  if (state)
    proofs.push({ expected: given?.value ?? (() => undefined), state: { ...state, digest }, code: 'BadDigest' })

  async function* chunks(): AsyncGenerator<Buffer, void, undefined> {
    reply.inviteBody()
    // The stream is not destroyed on a refusal, because that would close the socket before the answer is sent.
    const raw = request.incoming.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>
    try {
      let received = 0
      const decoded = streaming ? decodeChunks(raw, verified, onTrailer) : raw
      for await (const piece of decoded) {
        received += piece.length
        if (received > length) throw new S3Error('IncompleteBody', 'The body is longer than was declared.')
        for (const { state } of proofs) state.update(piece)
        yield piece
      }
      if (received < length) throw new S3Error('IncompleteBody')
      for (const { expected, state, code } of proofs) {
        const wanted = expected()
        const computed = state.digest()
        if (wanted !== undefined && !sameHex(computed, wanted)) throw new S3Error(code)
      }
    } finally {
      await raw.return?.()
    }
  }
  return { length, expectedMd5, checksum: algorithm && { algorithm, value: () => value }, chunks: chunks() }
}

/**
 * A small body as text, for the XML documents. It takes one buffer, in however small pieces it comes. Bytes that are no
 * UTF-8 are malformed: in place of them, a key would be that of another object.
 */
export async function readText(body: Body): Promise<string> {
  const md5 = createHash('md5')
  const text = Buffer.alloc(body.length)
  let at = 0
  for await (const piece of body.chunks) {
    md5.update(piece)
    at += piece.copy(text, at)
  }
  requireMd5(body, md5.digest('hex'))
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text.subarray(0, at))
  } catch (cause) {
    throw new S3Error('MalformedXML', undefined, { cause })
  }
}

/** Bytes that come from the store itself. */
export function copiedBody(length: number, chunks: AsyncIterable<Buffer>, algorithm: Algorithm | undefined): Body {
  if (algorithm === undefined) return { length, expectedMd5: undefined, chunks }
  const state = CHECKSUMS[algorithm]()
  async function* counted(): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of chunks) {
      state.update(chunk)
      yield chunk
    }
  }
  return { length, expectedMd5: undefined, checksum: { algorithm, value: () => state.digest() }, chunks: counted() }
}

export function requireMd5(body: Body, md5: string): void {
  if (body.expectedMd5 !== undefined && body.expectedMd5 !== md5) throw new S3Error('BadDigest')
}

function declaredLength(text: string | undefined): number {
  if (text === undefined) throw new S3Error('MissingContentLength')
  if (!/^\d{1,15}$/.test(text)) throw new S3Error('InvalidArgument', 'The declared length is not a number of bytes.')
  return Number(text)
}

function decodeMd5(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const bytes = Buffer.from(header, 'base64')
  if (bytes.length !== 16 || bytes.toString('base64') !== header.trim()) throw new S3Error('InvalidDigest')
  return bytes.toString('hex')
}

function signedHash(contentSha256: string): Proof[] {
  if (!/^[0-9a-f]{64}$/.test(contentSha256)) return []
  const hash = createHash('sha256')
  const state = { update: (piece: Buffer) => void hash.update(piece), digest: () => hash.digest('hex') }
  return [{ expected: () => contentSha256, state, code: 'XAmzContentSHA256Mismatch' }]
}

function announcedTrailers(request: S3Request): string[] {
  const announced = (request.header('x-amz-trailer') ?? '')
    .toLowerCase()
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
  for (const name of announced) {
    if (ALGORITHMS.some(algorithm => name === `x-amz-checksum-${algorithm}`)) continue
    throw new S3Error('NotImplemented', `The trailer ${name} is not implemented.`)
  }
  return announced
}

/** The checksum of the body that the client sends in a header, or announces for the trailer. */
function givenChecksum(
  request: S3Request,
  announced: readonly string[],
  trailers: ReadonlyMap<string, string>,
): { algorithm: Algorithm; value: () => string } | undefined {
  const given = ALGORITHMS.flatMap(algorithm => {
    const name = `x-amz-checksum-${algorithm}`
    const header = request.header(name)
    if (header === undefined && !announced.includes(name)) return []
    if (header !== undefined && announced.includes(name)) {
      throw new S3Error('InvalidRequest', `${name} is given in a header and announced for the trailer.`)
    }
    return [{ algorithm, value: () => header ?? trailers.get(name) ?? '' }]
  })
  if (given.length > 1) throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum-* header.')
  const wanted = request.header('x-amz-sdk-checksum-algorithm')
  if (wanted !== undefined && given[0] && parseAlgorithm(wanted) !== given[0].algorithm) {
    throw new S3Error(
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm names another checksum than the one that is sent.',
    )
  }
  return given[0]
}
