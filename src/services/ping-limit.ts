import type { EventEmitter } from 'node:events'
import type { Session } from './session-backlog.js'

/** The WebSocket of a transport of Engine.IO. */
interface PingedSocket extends EventEmitter {
  terminate(): void
}

interface Transport {
  name: string
  socket?: PingedSocket
}

/** Browsers send no pings at all, and libraries one in some seconds. */
const MOST = 100
const WINDOW_MS = 1_000

/**
 * Cuts the WebSocket of a client that floods it with pings. Each is answered with a frame and a write of its own, and none
 * counts as a packet of Engine.IO, so no limit of messages stops them.
 */
export function limitPings(session: Session, now: () => number = () => performance.now()): void {
  let [pings, begun] = [0, -Infinity]
  const watch = ({ name, socket }: Transport): void => {
    if (name !== 'websocket') return
    socket?.on('ping', () => {
      if (now() - begun >= WINDOW_MS) [pings, begun] = [0, now()]
      pings += 1
      if (pings > MOST) socket.terminate()
    })
  }
  watch(session.transport)
  // A session over polling tries a WebSocket before it changes to it.
  session.on('upgrading', (transport: unknown) => watch(transport as Transport))
}
