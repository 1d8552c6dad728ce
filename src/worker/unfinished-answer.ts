import type { ServerResponse } from 'node:http'

/** The head of an answer, as Node keeps it. */
interface WithHead {
  /** All of it, as it was sent. */
  _header?: string | null
  /** The length that it announces; null if it announces none. */
  _contentLength?: number | null
}

/**
 * Ends the connection of an answer that the app has ended before it was as long as its Content-Length said. Its client
 * waits for the rest, and would do so until somebody gives up: Node itself closes a connection that nobody uses.
 * @param answer of a request that has just come
 * @returns what to call when the answer is closed
 */
export function lengthCheck(answer: ServerResponse): () => void {
  const { socket } = answer.req
  const bytesBefore = socket.bytesWritten
  return () => {
    const { _header: head, _contentLength: length } = answer as WithHead
    if (typeof head !== 'string' || typeof length !== 'number') return
    // An interim answer that was written before counts as well: a short answer may pass then, but no whole one is cut.
    const isShort = socket.bytesWritten - bytesBefore < head.length + length
    if (isShort && answer.writableFinished && hasBody(answer))
      setTimeout(() => socket.destroySoon(), PASSED_ON_MS).unref()
  }
}

/** Until then what there is of the answer has reached its client, so that no balancer asks another worker for it. */
const PASSED_ON_MS = 1_000

/** Whatever its head announces. */
function hasBody({ req, statusCode }: ServerResponse): boolean {
  return req.method !== 'HEAD' && statusCode !== 204 && statusCode !== 304
}
