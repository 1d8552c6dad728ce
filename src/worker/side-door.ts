import type { Socket } from 'node:net'
import type { AppHandle } from './app-handle.js'

/** A registered symbol, because the preload and the modules of the worker are two programs. */
const sideDoor = Symbol.for('outpost.side-door')

/** The next connection that is delivered did not come from a balancer. */
export function noteSideDoor(handle: AppHandle): AppHandle {
  handle.server.prependOnceListener('connection', (socket: Socket) => Object.assign(socket, { [sideDoor]: true }))
  return handle
}

/** Whether the app's own port accepted the connection. Only Node knows its client then. */
export function cameBySideDoor(socket: Socket): boolean {
  return sideDoor in socket
}
