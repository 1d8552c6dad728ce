import type { IncomingMessage } from 'node:http'
import { hasBody } from '../requests/request-body.js'

/** An upgrade to WebSocket, which HTTP/1.0 does not have. */
export function offersWebSocket({ headers, httpVersionMinor }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket' && httpVersionMinor === 1
}

/** Whether the client offers a protocol other than WebSocket. A form of HTTP would hide its requests from the edge. */
export function offersOther({ method, headers, httpVersionMinor }: IncomingMessage): boolean {
  return method === 'GET' && httpVersionMinor === 1 && !FORM_OF_HTTP.test(headers.upgrade ?? '')
}

const FORM_OF_HTTP = /(?:^|,)\s*(?:h2|h3|http|tls)/i

/**
 * A body that comes with an offer to upgrade belongs to the request. Node 26 would stop reading at its start, so the
 * offer is declined before. Without a body it is declined later, since Node loses what a client has sent ahead when it
 * is declined here. Node has this option since 22.21 and 24.9, its types since @types/node 24; older ones ignore it.
 */
export const ONLY_UPGRADES = {
  shouldUpgradeCallback: (request: IncomingMessage): boolean => offersWebSocket(request) || !hasBody(request),
}
