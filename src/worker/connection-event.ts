import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'

/** The listener by which a server of Node reads requests from a connection. */
const [readsRequests] = createServer().listeners('connection')

/** The server that has told its listeners of the connection. */
const toldBy = Symbol('toldBy')

/**
 * Mesh mode: the edge accepts the connections, so the app's server has none. Its own listeners of `connection` are called
 * with the first request of each.
 */
export function announceConnection(server: Server, socket: Socket & { [toldBy]?: Server }): void {
  if (server.listenerCount('connection') < 2 || socket[toldBy] === server) return
  socket[toldBy] = server
  for (const listener of server.rawListeners('connection')) {
    if (listener !== readsRequests) Reflect.apply(listener, server, [socket])
  }
}
