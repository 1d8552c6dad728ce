import type { Socket } from 'node:net'
import { maySendAgain } from '../requests/retry.js'
import { responseInProgress } from './connection-refusals.js'

/** How many connections are searched. */
const LOOKED_AT = 64

/**
 * The connection that a client loses when nothing is left for another: one that streams or is upgraded, else one whose
 * request may be sent again, else any.
 * @param sockets of one client
 */
export function connectionToCut(
  sockets: Iterable<Socket>,
  isUpgraded: (socket: Socket) => boolean,
): Socket | undefined {
  let first: Socket | undefined
  let repeatable: Socket | undefined
  let left = LOOKED_AT
  for (const socket of sockets) {
    if ((left -= 1) < 0) break
    if (isUpgraded(socket) || responseInProgress(socket)?.headersSent === true) return socket
    first ??= socket
    if (isRepeatable(socket)) repeatable ??= socket
  }
  return repeatable ?? first
}

/** The app has no whole request of this connection, or one that its client may send again. */
function isRepeatable(socket: Socket): boolean {
  const request = responseInProgress(socket)?.req
  return request?.complete !== true || maySendAgain(request)
}

/** Nothing is in flight. A request head that is not complete does not count. */
export function isIdle(socket: Socket): boolean {
  return socket.writableLength === 0 && responseInProgress(socket) === undefined
}
