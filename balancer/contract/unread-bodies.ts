import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** A connection, with what Node keeps on it while it serves a request. */
interface Served extends Socket {
  _httpMessage?: ServerResponse | null
  parser?: { incoming?: IncomingMessage | null } | null
}

/** For how long nothing was read. An app may also be slow. */
const UNREAD_MS = 2_000

/**
 * Connections whose request has its answer, and whose body is not read on by the app. Node reads nothing more from them,
 * so they are not idle, and nobody sees that the client has left. Under node they do not keep the process alive.
 */
export class UnreadBodies {
  readonly #seen = new WeakMap<Socket, { bytesRead: number; since: number }>()

  /**
   * Has to be called again and again.
   * @param now in milliseconds
   * @returns those of the connections that have been like this for two seconds
   */
  leftIn(connections: Iterable<Socket>, now: number): Socket[] {
    return [...connections].filter(connection => {
      if (!isUnread(connection)) return false
      const { bytesRead } = connection
      const seen = this.#seen.get(connection)
      if (seen?.bytesRead === bytesRead) return now - seen.since >= UNREAD_MS
      this.#seen.set(connection, { bytesRead, since: now })
      return false
    })
  }
}

function isUnread({ _httpMessage: answer, parser }: Served): boolean {
  const request = parser?.incoming
  if (request === undefined || request === null || (answer ?? undefined) !== undefined) return false
  return request.readableLength >= request.readableHighWaterMark
}
