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

/** Shared by all sockets: with getters of its own each would become a hash table to V8, larger and slow in everything. */
const identity: PropertyDescriptorMap & ThisType<IdentifiedSocket> = {
  remoteAddress: {
    configurable: true,
    get() {
      return this[client]?.address
    },
  },
  remoteFamily: {
    configurable: true,
    get() {
      return this[client]?.address.includes(':') === true ? 'IPv6' : 'IPv4'
    },
  },
  encrypted: {
    configurable: true,
    get() {
      return this[client]?.protocol === 'https'
    },
  },
}

/**
 * Makes `req.ip`, `req.protocol` and `req.secure` right in an app that knows nothing of a balancer. Over a unix
 * socket there is no remote address, and one connection carries requests of many clients, one after the other: the
 * connection answers for the client whose request it carries now.
 */
export function adoptClient(request: IncomingMessage, found: Client): void {
  const socket = request.socket as IdentifiedSocket
  const known = socket[client] !== undefined
  socket[client] = found
  if (!known) Object.defineProperties(socket, identity)
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
