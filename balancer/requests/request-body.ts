import type { IncomingMessage } from 'node:http'
import { hasBody } from '../edge/request-guard.js'
import { isRepeatable } from './retry.js'

/**
 * - `none`: there is none
 * - `held`: read into memory, so that it can be sent again
 * - `stream`: goes through as it comes, once
 */
export type RequestBody = { kind: 'none' } | { kind: 'held'; bytes: Buffer } | { kind: 'stream' }

const NONE: RequestBody = { kind: 'none' }
const STREAM: RequestBody = { kind: 'stream' }

/** What the headers alone say of it; undefined when it should be held, which takes reading it: see `holdBody`. */
export function bodyByHeaders(request: IncomingMessage, heldBytes: number): RequestBody | undefined {
  if (!hasBody(request)) return NONE
  const { headers } = request
  if (!isRepeatable(request.method, headers['idempotency-key']) || headers.expect !== undefined) return STREAM
  const length = headers['content-length']
  return length !== undefined && Number(length) > heldBytes ? STREAM : undefined
}

/**
 * Reads a body of at most `heldBytes` into memory. A longer one is given back to the request, to be streamed.
 * `done` is not called when the client leaves before the end.
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
    // As it came: a stream that somebody has paused does not flow for whoever merely listens to it.
    Object.assign(request, { readableFlowing: null })
    done(STREAM)
  }
  const onEnd = (): void => done({ kind: 'held', bytes: Buffer.concat(chunks) })
  request.on('data', onData).on('end', onEnd)
}
