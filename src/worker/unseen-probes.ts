import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { openEnvelope } from '#balancer/contract/client-envelope.js'

type OnIncoming = (request: IncomingMessage, shouldKeepAlive: boolean) => number

/** A connection whose requests a server of Node reads. */
interface ServedSocket extends Socket {
  parser?: { onIncoming?: OnIncoming | null } | null
}

/**
 * Answers a health check on this connection in place of its server. Observers of all servers of a process (diagnostics
 * channels, a PerformanceObserver, tracing) would count it as a request of the app: Node tells them before the server
 * emits `request`. A health check is the first request of its connection; any other is left to `answerProbe`.
 * @param key of the balancers' envelopes
 */
export function answerProbeUnseen(socket: ServedSocket, key: string): void {
  const { parser } = socket
  const onIncoming = parser?.onIncoming
  if (!parser || typeof onIncoming !== 'function') return
  parser.onIncoming = (request, shouldKeepAlive) => {
    parser.onIncoming = onIncoming
    if (openEnvelope(request.rawHeaders, key)?.kind !== 'probe') return onIncoming(request, shouldKeepAlive)
    socket.end(HEALTHY)
    socket.destroySoon()
    return PARSE_ON
  }
}

/**
 * Answers a health check that has reached the server, so that the app gets none even where Node hands over its requests in
 * another way. @returns false if it is not a request to answer
 */
export function answerProbe(response: ServerResponse | Duplex): boolean {
  if (!(response instanceof ServerResponse)) return false
  response.writeHead(204).end()
  return true
}

const HEALTHY = 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'

/** To Node's parser: the request is an ordinary one. */
const PARSE_ON = 0
