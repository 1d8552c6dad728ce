import type { Server, Socket } from 'node:net'

/** A registered symbol, because the preload and the modules of the worker are two programs. */
const sideDoor = Symbol.for('outpost.side-door')

/** Marks the connection that `accept` has the server emit, if it takes one: it did not come from a balancer. */
export function bySideDoor(server: Server, accept: () => void): void {
  const mark = (socket: Socket): void => void Object.assign(socket, { [sideDoor]: true })
  server.prependOnceListener('connection', mark)
  accept()
  server.off('connection', mark)
}

/** Whether the app's own port accepted the connection. Only Node knows its client then. */
export function cameBySideDoor(socket: Socket): boolean {
  return sideDoor in socket
}
