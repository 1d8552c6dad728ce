import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** The server of the edge that has accepted the connection. */
const acceptedBy = Symbol('acceptedBy')

interface Connection extends Socket {
  server?: Server
  [acceptedBy]?: Server | undefined
}

/**
 * Mesh mode: the edge has accepted the connection. An app that finds its server by a request finds its own, as under node,
 * also when it looks later.
 */
export function showServer(server: Server, connection: Connection): void {
  if (connection.server === server) return
  connection[acceptedBy] ??= connection.server
  connection.server = server
}

/** The events that Node emits on the server of a connection. */
const OF_CONNECTIONS = new Set(['clientError', 'timeout'])

/** The server of the edge that an event is for: it answers broken requests, and closes connections that nobody uses. */
export function edgeToTell(event: string, args: readonly unknown[]): Server | undefined {
  return OF_CONNECTIONS.has(event) ? (args.at(-1) as Connection | undefined)?.[acceptedBy] : undefined
}
