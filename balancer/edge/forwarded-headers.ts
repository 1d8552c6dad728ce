import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { IDENTITY_HEADER, sealClient } from '../contract/client-envelope.js'
import type { BalancerOptions } from '../options.js'
import { headersDistinctOf, withoutNames } from '../contract/raw-headers.js'

/** Who sent a request, as far as the edge knows. */
export interface ClientIdentity {
  /** IPv4 or IPv6 address; an IPv4 address mapped into IPv6 is given as IPv4. */
  address: string
  /** 0 when it is not known: a trusted proxy does not tell it. */
  port: number
  protocol: 'http' | 'https'
  /** The value of X-Forwarded-For that goes on: the client first, then the trusted hops. */
  forwardedFor: string
  /** The host that the client asked for, as a trusted hop tells it; otherwise the request's own Host goes on. */
  forwardedHost?: string
}

/** Headers of one connection only (RFC 9110, section 7.6.1), with those that old clients send as if they were. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Lengths of the names that `responseHeaders` has to look at more closely. */
const SUSPECT_LENGTHS = new Set([...HOP_BY_HOP, 'x-request-id'].map(name => name.length))

/** Headers a client must not be able to speak through, whatever it names in `Connection`. */
const SET_BY_THE_EDGE = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
  'forwarded',
]

/** What does not go on as the client sent it. */
const NOT_FORWARDED = new Set([...HOP_BY_HOP, ...SET_BY_THE_EDGE, IDENTITY_HEADER, 'x-request-id', 'expect'])

/** Of a request that is handed over itself these stay: what frames it, and what an upgrade is made by. */
const OF_THE_MESSAGE = new Set(['connection', 'transfer-encoding', 'upgrade'])

/** What the edge goes by. */
export type Edge = Pick<BalancerOptions, 'identityKey' | 'trustProxy'>

/**
 * Finds the client behind `trustProxy` hops: with 0 it is the peer of the connection, with n the n-th address from
 * the right of X-Forwarded-For (fewer entries than hops: the leftmost there is). What is left of an entry that is no
 * address is not believed. So is the host that it asked for, of X-Forwarded-Host.
 */
export function identify(
  peer: { remoteAddress?: string | undefined; remotePort?: number | undefined; encrypted?: boolean },
  headers: IncomingHttpHeaders,
  trustProxy: number,
): ClientIdentity {
  const peerAddress = plainAddress(peer.remoteAddress ?? '')
  const peerProtocol = peer.encrypted === true ? 'https' : 'http'
  const port = peer.remotePort ?? 0
  if (trustProxy === 0) return { address: peerAddress, port, protocol: peerProtocol, forwardedFor: peerAddress }

  const claimed = believedHops(headers['x-forwarded-for'], trustProxy)
  const protocol = listOf(headers['x-forwarded-proto']).at(-1)
  const [forwardedHost] = listOf(headers['x-forwarded-host']).slice(-trustProxy)
  return {
    address: claimed[0] ?? peerAddress,
    port: claimed.length === 0 ? port : 0,
    protocol: protocol === 'https' || protocol === 'http' ? protocol : peerProtocol,
    forwardedFor: [...claimed, peerAddress].join(', '),
    ...(forwardedHost === undefined ? {} : { forwardedHost }),
  }
}

/** The entries that the trusted hops have written, the client's first. */
function believedHops(forwardedFor: string | string[] | undefined, hops: number): string[] {
  const claimed = listOf(forwardedFor).slice(-hops).map(plainAddress)
  return claimed.slice(claimed.findLastIndex(address => isIP(address) === 0) + 1)
}

/** The headers of the request as the target gets them. `headers` is left as it is. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  client: ClientIdentity,
  requestId: string,
  { identityKey, trustProxy }: Edge,
): OutgoingHttpHeaders {
  const named = namedInConnection(headers.connection)
  // Built up, never cut down: after a `delete` an object is a hash table, and slow in all that is done with it later.
  // The envelope comes first: a reader that stops somewhere has read it by then.
  const forwarded: OutgoingHttpHeaders = { [IDENTITY_HEADER]: sealClient(identityKey, client) }
  for (const name in headers) {
    if (!isForTheEdge(name, trustProxy) && named?.includes(name) !== true) forwarded[name] = headers[name]
  }
  setForwarded(forwarded, client, requestId)
  return forwarded
}

/** The same for an app in this process, which is handed the request itself. */
export function rewriteRequestHeaders(
  request: Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'headersDistinct'>,
  client: ClientIdentity,
  requestId: string,
  { trustProxy }: Edge,
): void {
  const { headers } = request
  const named = namedInConnection(headers.connection)
  let unwanted: string[] | undefined
  for (const name in headers) {
    const isUnwanted = isForTheEdge(name, trustProxy) || named?.includes(name) === true
    if (isUnwanted && !OF_THE_MESSAGE.has(name)) (unwanted ??= []).push(name)
  }
  if (unwanted !== undefined) {
    for (const name of unwanted) Reflect.deleteProperty(headers, name)
    request.rawHeaders = withoutNames(request.rawHeaders, unwanted)
    // Made by Node when it is asked for, of as many raw headers as there once were.
    request.headersDistinct = headersDistinctOf(request.rawHeaders)
  }
  setForwarded(headers, client, requestId)
}

/** The same for the trailers, which are there when the body has ended: whoever reads them takes them for headers. */
export function rewriteTrailers(
  request: Pick<IncomingMessage, 'trailers' | 'rawTrailers' | 'trailersDistinct'>,
  { trustProxy }: Edge,
): void {
  const unwanted = Object.keys(request.trailers).filter(name => isForTheEdge(name, trustProxy))
  if (unwanted.length === 0) return
  for (const name of unwanted) Reflect.deleteProperty(request.trailers, name)
  request.rawTrailers = withoutNames(request.rawTrailers, unwanted)
  request.trailersDistinct = headersDistinctOf(request.rawTrailers)
}

/** Whether the client's word for it does not go on. Of a trusted proxy it does, unless the edge knows better. */
function isForTheEdge(name: string, trustProxy: number): boolean {
  return NOT_FORWARDED.has(name) || (trustProxy === 0 && name.startsWith('x-forwarded-'))
}

function setForwarded(
  headers: OutgoingHttpHeaders | IncomingHttpHeaders,
  client: ClientIdentity,
  requestId: string,
): void {
  headers['x-forwarded-for'] = client.forwardedFor
  headers['x-forwarded-proto'] = client.protocol
  const host = client.forwardedHost ?? headers['host']
  if (host !== undefined) headers['x-forwarded-host'] = host
  headers['x-real-ip'] = client.address
  headers['x-request-id'] = requestId
}

/**
 * The raw headers of an answer without those that belong to the connection it came by.
 * @param rawHeaders names and values in turn, as in `IncomingMessage.rawHeaders`
 * @param connection the answer's `Connection` header
 */
export function responseHeaders(rawHeaders: string[], connection: string | undefined, requestId: string): string[] {
  const named = namedInConnection(connection)
  const kept: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    // Comparing lengths is cheaper than lower-casing every name.
    if (named !== undefined || SUSPECT_LENGTHS.has(name.length)) {
      const lower = name.toLowerCase()
      if (HOP_BY_HOP.has(lower) || lower === 'x-request-id' || named?.includes(lower)) continue
    }
    kept.push(name, rawHeaders[i + 1] as string)
  }
  kept.push('X-Request-Id', requestId)
  return kept
}

/** Names listed in `Connection`, lower-cased; undefined in the usual case that there is nothing but a keyword. */
function namedInConnection(connection: string | undefined): string[] | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined
  const names = listOf(connection.toLowerCase())
  return names.filter(name => !END_TO_END.has(name))
}

/** Naming these in `Connection` must not take them away: they frame the message or are written by the edge. */
const END_TO_END = new Set(['host', 'content-length', ...SET_BY_THE_EDGE])

function listOf(value: string | string[] | undefined): string[] {
  if (value === undefined) return []
  const text = Array.isArray(value) ? value.join(',') : value
  return text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}

/** An address without the port that some proxies add, and without the brackets that go with it. */
function plainAddress(written: string): string {
  const address = WITH_PORT.exec(written)?.slice(1).find(Boolean) ?? written
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}

const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/
