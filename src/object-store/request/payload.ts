import { createHash } from 'node:crypto'
import { CHECKSUMS, type Checksum } from './checksums.js'
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

/** The body of a request with verified headers. Nothing is read or answered with `100 Continue` before the iteration. */
export function requestBody(request: S3Request, reply: Inviting, verified: VerifiedSignature, maxBytes: number): Body {
  const streaming = Object.hasOwn(STREAMING_PAYLOADS, verified.contentSha256)
  if (!streaming && verified.contentSha256 !== 'UNSIGNED-PAYLOAD' && !/^[0-9a-f]{64}$/.test(verified.contentSha256)) {
    throw new S3Error(
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-… or a SHA-256 hash.',
    )
  }
  const length = declaredLength(request.header(streaming ? 'x-amz-decoded-content-length' : 'content-length'))
  if (length > maxBytes) throw new S3Error('EntityTooLarge')
  const expectedMd5 = decodeMd5(request.header('content-md5'))
  const trailers = new Map<string, string>()
  const proofs = proofsOf(request, verified.contentSha256, trailers)

  async function* chunks(): AsyncGenerator<Buffer, void, undefined> {
    reply.inviteBody()
    // The stream is not destroyed on a refusal, because that would close the socket before the answer is sent.
    const raw = request.incoming.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>
    try {
      let received = 0
      const decoded = streaming ? decodeChunks(raw, verified, (name, value) => void trailers.set(name, value)) : raw
      for await (const piece of decoded) {
        received += piece.length
        if (received > length) throw new S3Error('IncompleteBody', 'The body is longer than was declared.')
        for (const { state } of proofs) state.update(piece)
        yield piece
      }
      if (received < length) throw new S3Error('IncompleteBody')
      for (const { expected, state, code } of proofs) {
        const wanted = expected()
        if (wanted !== undefined && !sameHex(state.digest(), wanted)) throw new S3Error(code)
      }
    } finally {
      await raw.return?.()
    }
  }
  return { length, expectedMd5, chunks: chunks() }
}

/** A small body as text, for the XML documents. It takes one buffer, in however small pieces it comes. */
export async function readText(body: Body): Promise<string> {
  const md5 = createHash('md5')
  const text = Buffer.alloc(body.length)
  let at = 0
  for await (const piece of body.chunks) {
    md5.update(piece)
    at += piece.copy(text, at)
  }
  requireMd5(body, md5.digest('hex'))
  return text.toString('utf8', 0, at)
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

/** The checks that the request asks for: the signed hash of the body, and x-amz-checksum-* in header or trailer. */
function proofsOf(request: S3Request, contentSha256: string, trailers: ReadonlyMap<string, string>): Proof[] {
  const proofs: Proof[] = []
  if (/^[0-9a-f]{64}$/.test(contentSha256)) {
    const hash = createHash('sha256')
    const state = { update: (piece: Buffer) => void hash.update(piece), digest: () => hash.digest('hex') }
    proofs.push({ expected: () => contentSha256, state, code: 'XAmzContentSHA256Mismatch' })
  }
  const announced = (request.header('x-amz-trailer') ?? '')
    .toLowerCase()
    .split(',')
    .map(name => name.trim())
    .filter(Boolean)
  for (const name of announced) {
    if (Object.hasOwn(CHECKSUMS, name.replace(/^x-amz-checksum-/, ''))) continue
    throw new S3Error('NotImplemented', `The trailer ${name} is not implemented.`)
  }
  for (const [algorithm, start] of Object.entries(CHECKSUMS)) {
    const name = `x-amz-checksum-${algorithm}`
    const header = request.header(name)
    if (header === undefined && !announced.includes(name)) continue
    proofs.push({ expected: () => header ?? trailers.get(name) ?? '', state: start(), code: 'BadDigest' })
  }
  return proofs
}
