import type { IncomingMessage, ServerResponse } from 'node:http'

const HAS_LENGTH = /^(?:content-length|transfer-encoding):/im

/**
 * When an app ends a connection while a body is still arriving, Node would close the connection over that body. That
 * is a reset, and the answer may be lost. The balancer sees the end in the answer and closes the connection itself.
 */
export function leaveTheEndToTheBalancer(
  request: IncomingMessage,
  response: ServerResponse & { _last?: boolean; _header?: string | null },
): void {
  if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) return
  response.once('prefinish', () => {
    // Without a length of its own an answer ends with its connection.
    if (!request.complete && HAS_LENGTH.test(response._header ?? '')) response._last = false
  })
}
