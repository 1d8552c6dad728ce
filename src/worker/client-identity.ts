import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { openEnvelope, removeEnvelope } from '#balancer/contract/client-envelope.js'

/** The sender of a request. */
export interface Client {
  address: string
  /** 0 when it is not known. */
  port: number
  protocol: string
  localAddress?: string
  /** It speaks HTTP/1.0. */
  isOld?: true
  /** It has sent no Host. */
  hasNoHost?: true
}

interface IdentifiedSocket extends Socket {
  [client]?: Client
  /** The port that the client asked. */
  [publicPort]?: number | undefined
  /** The request, when it has a `Forwarded` header. */
  [forwarded]?: IncomingMessage | undefined
  /** The last request that it has carried. */
  [carried]?: IncomingMessage
  encrypted?: true
}

const client = Symbol('client')
const publicPort = Symbol('publicPort')
const forwarded = Symbol('forwarded')
const carried = Symbol('carried')

/** Shared by all sockets: V8 turns a socket with getters of its own into a hash table, which is larger and slower. */
const identity: PropertyDescriptorMap & ThisType<IdentifiedSocket> = {
  remoteAddress: {
    configurable: true,
    get() {
      return trustsProxy(this[forwarded]) ? PROXY_ADDRESS : this[client]?.address
    },
  },
  remotePort: {
    configurable: true,
    get() {
      return this[client]?.port
    },
  },
  remoteFamily: {
    configurable: true,
    get() {
      return this[client]?.address.includes(':') === true ? 'IPv6' : 'IPv4'
    },
  },
  localAddress: {
    configurable: true,
    get() {
      return this[client]?.localAddress
    },
  },
  localFamily: {
    configurable: true,
    get() {
      return (this.address() as { family?: string }).family
    },
  },
  localPort: {
    configurable: true,
    get() {
      return this[publicPort]
    },
  },
  address: {
    configurable: true,
    value(this: IdentifiedSocket) {
      const { localAddress: address, localPort: port } = this
      if (address === undefined) return {}
      return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port }
    },
  },
}

/**
 * Makes `req.ip`, `req.protocol` and `req.secure` correct in an app that is not written for a balancer. Over a unix
 * socket there is no remote address, and one connection carries requests of many clients, one after the other: the
 * connection answers for the client whose request it carries now.
 * @param port that clients ask
 */
export function adoptClient(request: IncomingMessage, found: Client, port?: number): void {
  const socket = request.socket as IdentifiedSocket
  const before = socket[client]
  const last = socket[carried]
  // A connection that is one client's own always comes with the same object.
  if (before !== found && last !== undefined && last !== request) leaveBehind(last, socket)
  // An upgraded connection carries no other, and may be open for long.
  if ((request as IncomingMessage & { upgrade?: boolean }).upgrade !== true) socket[carried] = request
  socket[client] = found
  socket[publicPort] = port
  if (request.headers['forwarded'] !== undefined || socket[forwarded] !== undefined) noteForwarded(socket, request)
  if (before === undefined) Object.defineProperties(socket, identity)
  if (found.protocol !== before?.protocol) showEncryption(socket, found)
  if (found.isOld === true) Object.assign(request, HTTP_1_0)
  if (found.hasNoHost === true) removeHost(request)
}

/** Some apps ask whether a socket has the property at all. Under node only one with TLS has it. */
function showEncryption(socket: IdentifiedSocket, { protocol }: Client): void {
  if (protocol === 'https') socket.encrypted = true
  else if (socket.encrypted === true) delete socket.encrypted
}

function removeHost({ headers, rawHeaders }: IncomingMessage): void {
  Reflect.deleteProperty(headers, 'host')
  const at = rawHeaders.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'host')
  if (at >= 0) rawHeaders.splice(at, 2)
}

/**
 * An app may go on with a request that it has answered. It must not take the next client of the connection for the one of
 * that request, nor close its connection. To such an app its own client has left, but is still known.
 */
function leaveBehind(request: IncomingMessage, socket: IdentifiedSocket): void {
  request.socket = new LeftBehind(socket) as unknown as Socket
}

/** A closed socket that knows its client. What it has of a socket is inherited from a single one. */
class LeftBehind {
  /** Otherwise listeners would be added to the one that all have in common. */
  _events = undefined
  _eventsCount = 0;
  [client]: Client | undefined;
  [publicPort]: number | undefined;
  [forwarded]: IncomingMessage | undefined
  declare encrypted?: true

  constructor(socket: IdentifiedSocket) {
    this[client] = socket[client]
    this[publicPort] = socket[publicPort]
    this[forwarded] = socket[forwarded]
    if (socket.encrypted === true) this.encrypted = true
  }
}

Object.setPrototypeOf(LeftBehind.prototype, Object.defineProperties(new Socket().destroy(), identity))

/** As Node's parser says it of such a request. */
const HTTP_1_0 = { httpVersion: '1.0', httpVersionMinor: 0 }

/** A proxy on this machine: all that an app can be said to trust without knowing more of it. */
const PROXY_ADDRESS = '127.0.0.1'

function noteForwarded(socket: IdentifiedSocket, request: IncomingMessage): void {
  socket[forwarded] = request.headers['forwarded'] === undefined ? undefined : request
}

/**
 * Only a trusted proxy's `Forwarded` comes so far. To express-rate-limit it is a header that the app fails to use when
 * `req.ip` is the address of the socket. Under node that is the proxy's, and an app that trusts it takes its client
 * from X-Forwarded-For, which is there, too.
 */
function trustsProxy(request: (IncomingMessage & { app?: unknown }) | undefined): boolean {
  if (request === undefined || typeof request.app !== 'function') return false
  const { get } = request.app as { get?: (name: string) => unknown }
  const trust = typeof get === 'function' ? get.call(request.app, 'trust proxy fn') : undefined
  return typeof trust === 'function' && (trust as (address: string, hop: number) => unknown)(PROXY_ADDRESS, 0) === true
}

/**
 * Reads the client from the balancer's envelope, and removes the envelope from the request.
 * @param key of this instance
 * @returns undefined without a valid envelope: an unknown sender must never pass for a local one
 */
export function takeClient(request: IncomingMessage, key: string): Client | undefined {
  const sender = openEnvelope(request.rawHeaders, key)
  removeEnvelope(request)
  return sender?.kind === 'probe' ? PROBE : sender
}

/** The sender of a health check: this machine, and the app sees it so. */
export const PROBE: Client = { address: '127.0.0.1', port: 0, protocol: 'http' }

/**
 * Node makes `headersDistinct` when it is first asked for, of as many raw headers as once came, and fails where one of
 * them was taken out. From now on it passes over that place. This is done once for the process: a property that is defined
 * on each request costs more than all else that is done to it here.
 */
export function passOverRemovedHeaders(): void {
  const prototype = IncomingMessage.prototype as unknown as MakesDistinct
  const { _addHeaderLineDistinct: add } = prototype
  if (typeof add !== 'function' || add === prototype[passesOver]) return
  prototype[passesOver] = function (name, value, headers) {
    if (name !== undefined) add.call(this, name, value, headers)
  }
  prototype._addHeaderLineDistinct = prototype[passesOver]
}

const passesOver = Symbol('passesOver')

type AddDistinct = (name: string | undefined, value: string | undefined, headers: NodeJS.Dict<string[]>) => void

interface MakesDistinct {
  _addHeaderLineDistinct?: AddDistinct
  [passesOver]?: AddDistinct
}
