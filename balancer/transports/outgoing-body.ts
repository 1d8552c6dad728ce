import type { ClientRequest, IncomingMessage } from 'node:http'
import { forwardedTrailers } from './trailers.js'
import type { ForwardedRequest, RequestBody } from './transport.js'

export function isChunked(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined
}

/** Announces a body in chunks, and the trailers that follow it. */
export function frameInChunks(outgoing: ClientRequest, { headers: { trailer } }: IncomingMessage): void {
  outgoing.setHeader('Transfer-Encoding', 'chunked')
  if (trailer !== undefined) outgoing.setHeader('Trailer', trailer)
}

/** For DELETE and OPTIONS: http-proxy announces no body, whether they have one or not. */
export function restoreLength(outgoing: ClientRequest, { rawHeaders }: IncomingMessage, body: RequestBody): void {
  outgoing.removeHeader('content-length')
  const at = rawHeaders.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-length')
  if (at >= 0) outgoing.setHeader(rawHeaders[at] as string, rawHeaders[at + 1] as string)
  else if (body.kind === 'held') outgoing.setHeader('Content-Length', body.bytes.length)
}

/**
 * Sends a body on as it arrives, and its trailers after it.
 * @param passed called with the length of each piece
 */
export function sendBody(forwarded: ForwardedRequest, outgoing: ClientRequest, passed: (bytes: number) => void): void {
  const { request, client } = forwarded
  request.once('end', () => {
    const { rawTrailers } = request
    if (isChunked(request) && rawTrailers.length > 0) outgoing.addTrailers(forwardedTrailers(rawTrailers, client))
    outgoing.end()
    forwarded.bodySent()
  })
  request.pipe(outgoing, { end: false })
  request.on('data', (piece: Buffer) => passed(piece.length))
}
