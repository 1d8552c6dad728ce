import type { Socket } from 'socket.io'

/** One client's connection underneath Socket.IO: an Engine.IO session, over polling or a WebSocket. */
export type Session = Socket['conn']

/** The largest backlog of one session. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024

/** Ends a session whose client does not read: every message to all clients would lengthen its queue for ever. */
export function limitBacklog(session: Session, maxBytes = MAX_BACKLOG_BYTES): void {
  let waiting = 0
  session.on('packetCreate', ({ data }: { data?: unknown }) => {
    waiting += sizeOf(data)
    if (waiting > maxBytes) session.close(true)
  })
  session.on('flush', () => (waiting = 0))
}

function sizeOf(data: unknown): number {
  if (typeof data === 'string') return data.length
  return ArrayBuffer.isView(data) ? data.byteLength : 0
}
