import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Breaks a connection off so that its end cannot be taken for the end of an answer. */
export function reset(socket: Duplex): void {
  try {
    if (socket instanceof Socket) socket.resetAndDestroy()
  } catch {
    // Only TCP knows a reset: a unix socket is just closed.
  }
  socket.destroy()
}
