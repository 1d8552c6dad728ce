import { createHash } from 'node:crypto'
import { ByteSource } from './byte-source.js'
import { S3Error } from '../errors.js'
import { EMPTY_SHA256, hmac, sameHex, sha256, type VerifiedSignature } from './signature-v4.js'

const MAX_LINE = 4096
const MAX_TRAILERS = 16
/** Larger than any client's chunk, and a size that stays exact as a number. */
const MAX_CHUNK = 2 ** 40

/** The x-amz-content-sha256 values that announce an aws-chunked body. */
export const STREAMING_PAYLOADS: Readonly<Record<string, { readonly signed: boolean; readonly trailer: boolean }>> = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true, trailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false, trailer: true },
}

/**
 * Decodes `size[;chunk-signature=…]CRLF data CRLF … 0 …` ("Transferring Payload in Multiple Chunks", S3 API
 * reference). A chunk's bytes are passed on before its signature has been read, so a chunk of any size needs no
 * memory. The consumer must keep nothing of it unless the whole generator succeeds. Trailers go to `onTrailer`.
 */
export async function* decodeChunks(
  source: AsyncIterable<Buffer>,
  verified: VerifiedSignature,
  onTrailer: (name: string, value: string) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const mode = STREAMING_PAYLOADS[verified.contentSha256]
  if (!mode) throw new S3Error('InvalidArgument', 'x-amz-content-sha256 names no streaming payload.')
  const bytes = new ByteSource(source)
  let previous = verified.signature

  for (;;) {
    const { size, signature } = parseChunkHeader(await bytes.line(MAX_LINE))
    const hash = createHash('sha256')
    for await (const piece of bytes.take(size)) {
      if (mode.signed) hash.update(piece)
      yield piece
    }
    if (mode.signed) {
      previous = requireSignature(verified, 'PAYLOAD', [previous, EMPTY_SHA256, hash.digest('hex')], signature)
    }
    if (size === 0) break
    if ((await bytes.line(0)) !== '') throw new S3Error('IncompleteBody')
  }
  if (mode.trailer) await readTrailers(bytes, verified, mode.signed, previous, onTrailer)
  else if ((await bytes.line(0)) !== '') throw new S3Error('IncompleteBody')
  if (!(await bytes.atEnd())) throw new S3Error('InvalidRequest', 'There are bytes after the last chunk.')
}

async function readTrailers(
  bytes: ByteSource,
  verified: VerifiedSignature,
  signed: boolean,
  previous: string,
  onTrailer: (name: string, value: string) => void,
): Promise<void> {
  const trailers: [string, string][] = []
  let signature: string | undefined
  for (;;) {
    // Some clients leave out the empty line that ends the trailers.
    const line = (await bytes.atEnd()) ? '' : await bytes.line(MAX_LINE)
    if (line === '') break
    const [, name, value] = /^([\w-]+):\s*(.*?)\s*$/.exec(line) ?? []
    if (name === undefined || value === undefined || trailers.length === MAX_TRAILERS) {
      throw new S3Error('InvalidRequest', 'A trailer is malformed.')
    }
    if (name.toLowerCase() === 'x-amz-trailer-signature') signature = value
    else trailers.push([name.toLowerCase(), value])
  }
  if (signed) {
    const canonical = trailers.map(([name, value]) => `${name}:${value}\n`).join('')
    requireSignature(verified, 'TRAILER', [previous, sha256(canonical)], signature)
  }
  for (const [name, value] of trailers) onTrailer(name, value)
}

function parseChunkHeader(line: string): { size: number; signature: string | undefined } {
  const [, hex, signature] = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? []
  const size = hex === undefined ? NaN : parseInt(hex, 16)
  if (!(size <= MAX_CHUNK)) throw new S3Error('InvalidRequest', 'A chunk header is malformed.')
  return { size, signature }
}

function requireSignature(
  verified: VerifiedSignature,
  kind: 'PAYLOAD' | 'TRAILER',
  parts: readonly string[],
  claimed: string | undefined,
): string {
  const text = [`AWS4-HMAC-SHA256-${kind}`, verified.timestamp, verified.scope, ...parts].join('\n')
  const expected = hmac(verified.signingKey, text).toString('hex')
  if (claimed === undefined || !sameHex(expected, claimed)) throw new S3Error('SignatureDoesNotMatch')
  return expected
}
