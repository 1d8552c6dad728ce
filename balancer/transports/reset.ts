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
