import type { IncomingMessage } from 'node:http'
import type { RequestBody } from '../transports/transport.js'
import { isRepeatable } from './retry.js'

const NONE: RequestBody = { kind: 'none' }
const STREAM: RequestBody = { kind: 'stream' }

/** Whether the headers announce a body (RFC 9112, section 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && length !== '0'
}

/** The body as far as the headers decide it. Undefined if it should be held and must be read first: see `holdBody`. */
export function bodyByHeaders(request: IncomingMessage, heldBytes: number): RequestBody | undefined {
  if (!hasBody(request)) return NONE
  const { headers } = request
  if (!isRepeatable(request.method, headers['idempotency-key']) || headers.expect !== undefined) return STREAM
  const length = headers['content-length']
  return length !== undefined && Number(length) > heldBytes ? STREAM : undefined
}

/** How much memory a body takes that is held; all that it may take when its length is not known yet. */
export function announcedBytes({ headers }: IncomingMessage, heldBytes: number): number {
  return Number(headers['content-length'] ?? heldBytes)
}

/**
 * Reads a body of at most `heldBytes` into memory. A longer one is put back into the request, to be
 * streamed. `done` is not called if the client leaves before the end.
 */
export function holdBody(request: IncomingMessage, heldBytes: number, done: (body: RequestBody) => void): void {
  const chunks: Buffer[] = []
  let size = 0
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk)
    size += chunk.length
    if (size <= heldBytes) return
    request.off('data', onData).off('end', onEnd).pause()
    request.unshift(Buffer.concat(chunks))
    // As on arrival: a stream that was paused would not flow for a mere 'data' listener.
    Object.assign(request, { readableFlowing: null })
    done(STREAM)
  }
  const onEnd = (): void => done({ kind: 'held', bytes: Buffer.concat(chunks) })
  request.on('data', onData).on('end', onEnd)
}
