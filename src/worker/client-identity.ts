import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { IDENTITY_HEADER } from '../core/identity-header.js'

/** Who sent a request. */
export interface Client {
  address: string
  protocol: string
}

interface IdentifiedSocket extends Socket {
  [client]?: Client
}

const client = Symbol('client')

/**
 * Makes `req.ip`, `req.protocol` and `req.secure` right in an app that knows nothing of a balancer. Over a unix
 * socket there is no remote address, and one connection carries requests of many clients, one after the other: the
 * connection answers for the client whose request it carries now.
 */
export function adoptClient(request: IncomingMessage, found: Client): void {
  const socket = request.socket as IdentifiedSocket
  if (socket[client] === undefined) {
    Object.defineProperties(socket, {
      remoteAddress: { configurable: true, get: () => socket[client]?.address },
      remoteFamily: {
        configurable: true,
        get: () => (socket[client]?.address.includes(':') === true ? 'IPv6' : 'IPv4'),
      },
      encrypted: { configurable: true, get: () => socket[client]?.protocol === 'https' },
    })
  }
  socket[client] = found
}

/** Reads what the balancer said, and takes it out of sight. */
export function clientFromHeader(request: IncomingMessage): Client {
  const header = request.headers[IDENTITY_HEADER]
  hideIdentity(request)
  if (typeof header !== 'string') return LOCAL
  const space = header.indexOf(' ')
  return { address: header.slice(space + 1), protocol: header.slice(0, space) }
}

/** The header is nothing that an app should see, least of all one that a client has made up. */
export function hideIdentity(request: IncomingMessage): void {
  const { headers } = request
  if (IDENTITY_HEADER in headers) Reflect.deleteProperty(headers, IDENTITY_HEADER)
}

/** A probe of the balancer's own. */
const LOCAL: Client = { address: '127.0.0.1', protocol: 'http' }
