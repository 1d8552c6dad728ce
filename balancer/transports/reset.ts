import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Resets a connection, so that its end cannot be taken for the end of an answer. */
export function reset(socket: Duplex): void {
  try {
    if (socket instanceof Socket) socket.resetAndDestroy()
  } catch {
    // Only TCP has resets. A unix socket is closed.
  }
  socket.destroy()
}

/** Cuts an answer off. Its client takes it for broken. */
export function cutAnswer(request: IncomingMessage, response: ServerResponse): void {
  // An HTTP/1.0 client takes the end of its connection for the end of the answer, unless it is a reset.
  if (request.httpVersionMinor === 0) reset(request.socket)
  else response.destroy()
}
