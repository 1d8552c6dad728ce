import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { IDENTITY_HEADER, oldVersionOf, sealClient, type ClientIdentity } from '../contract/client-envelope.js'
import { hasOwnCookies, withoutOwnCookies } from '../contract/own-cookies.js'
import { headersDistinctOf, listOf, withoutNames } from '../contract/raw-headers.js'
import type { BalancerOptions } from '../options.js'

/** Headers of a single connection (RFC 9110, section 7.6.1), and those that old clients treat as such. */
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

/** Lengths of the names that `responseHeaders` has to compare. */
const SUSPECT_LENGTHS = new Set([...HOP_BY_HOP, 'x-request-id'].map(name => name.length))

/** A trusted proxy describes the client in this header, too. */
const OF_A_PROXY = 'forwarded'

/** Headers that a client must not be able to set or to remove by naming them in `Connection`. */
const SET_BY_THE_EDGE = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
  'forwarded',
]

/** Headers of a client that are not forwarded. */
const NOT_FORWARDED = new Set([...HOP_BY_HOP, ...SET_BY_THE_EDGE, IDENTITY_HEADER, 'x-request-id', 'expect'])

/** A local app gets the request itself, so these stay: they frame it, ask for its body or offer an upgrade. */
const OF_THE_MESSAGE = new Set(['connection', 'transfer-encoding', 'expect', 'upgrade'])

/** The fields of a request that are read here. */
type Sent = Pick<IncomingMessage, 'headers' | 'rawHeaders'> & Partial<Pick<IncomingMessage, 'httpVersionMinor'>>

/** The facts that the forwarded headers depend on. */
export type ForwardingOptions = Pick<BalancerOptions, 'identityKey'>

/**
 * The headers of the request as the target gets them: in their order and their letters, repeated ones repeated. Does
 * not change those of the request.
 */
export function requestHeaders(
  request: Sent,
  client: ClientIdentity,
  requestId: string,
  { identityKey }: ForwardingOptions,
): OutgoingHttpHeaders {
  const { headers, rawHeaders } = request
  const named = namedInConnection(headers.connection)
  // Headers are added, never deleted: a `delete` turns the object into a hash table, which is slower to use.
  // The envelope comes first, so a reader that stops early has read it.
  const forwarded: OutgoingHttpHeaders = {
    [IDENTITY_HEADER]: sealClient(identityKey, client, oldVersionOf(request)),
  }
  const repeated = hasRepeated(headers, rawHeaders) ? new Map<string, string>() : undefined
  const hasOwn = hasOwnCookies(headers.cookie)
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (isKeptBack(name, named, client)) continue
    const value = hasOwn ? withoutOwn(name, rawHeaders[i + 1] as string) : rawHeaders[i + 1]
    if (value === undefined) continue
    if (repeated === undefined) forwarded[name] = value
    else addOne(forwarded, repeated, name, value)
  }
  setForwarded(forwarded, headers.host, client, requestId)
  return forwarded
}

/** The head of the request as the target gets it, with the same headers, for a connection that stays open. */
export function requestHead(
  request: Sent & Pick<IncomingMessage, 'method' | 'url'>,
  client: ClientIdentity,
  requestId: string,
  { identityKey }: ForwardingOptions,
): string {
  const { method = '', url = '', headers, rawHeaders } = request
  const named = namedInConnection(headers.connection)
  const envelope = sealClient(identityKey, client, oldVersionOf(request))
  let head = `${method} ${url} HTTP/1.1\r\n${IDENTITY_HEADER}: ${envelope}\r\n`
  const hasOwn = hasOwnCookies(headers.cookie)
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (isKeptBack(name, named, client)) continue
    const value = hasOwn ? withoutOwn(name, rawHeaders[i + 1] as string) : (rawHeaders[i + 1] as string)
    if (value !== undefined) head += `${name}: ${value}\r\n`
  }
  // As Node's own client: HTTP/1.0 needs no Host, HTTP/1.1 does. The envelope says that it is not the client's.
  if (headers.host === undefined) head += 'Host: localhost\r\n'
  const added: Record<string, string> = {}
  setForwarded(added, headers.host, client, requestId)
  for (const name in added) head += `${name}: ${added[name] as string}\r\n`
  return `${head}Connection: keep-alive\r\n\r\n`
}

/** The value of a header without the cookies of the edge; undefined when nothing is left of it. */
function withoutOwn(name: string, value: string): string | undefined {
  return name.toLowerCase() === 'cookie' ? withoutOwnCookies(value) : value
}

/** @param named headers that the client has named in `Connection` */
function isKeptBack(name: string, named: ReadonlySet<string> | undefined, client: ClientIdentity): boolean {
  if (named === undefined && !mayBeDropped(name)) return false
  const lower = name.toLowerCase()
  return isDropped(lower, client) || named?.has(lower) === true
}

function hasRepeated(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): boolean {
  return Object.keys(headers).length * 2 < rawHeaders.length
}

/** Comparing lengths is cheaper than lower-casing every name. */
function mayBeDropped(name: string): boolean {
  if (NOT_FORWARDED_LENGTHS.has(name.length)) return true
  return name.length > X_FORWARDED.length && (name.charCodeAt(0) | LOWER_CASE) === X_FORWARDED.charCodeAt(0)
}

const NOT_FORWARDED_LENGTHS = new Set([...NOT_FORWARDED].map(name => name.length))
const X_FORWARDED = 'x-forwarded-'
const LOWER_CASE = 0x20

/**
 * Collects the values of a repeated header in a list. Node would keep the last of two names that differ in their
 * letters.
 * @param names as they came first, by those in lower case
 */
function addOne(headers: OutgoingHttpHeaders, names: Map<string, string>, name: string, value: string): void {
  const lower = name.toLowerCase()
  // A list under this name would change what the object inherits.
  if (lower === '__proto__') return
  const first = names.get(lower)
  const before = first === undefined ? undefined : headers[first]
  if (first === undefined) {
    names.set(lower, name)
    headers[name] = value
  } else if (Array.isArray(before)) before.push(value)
  else headers[first] = [String(before), value]
}

/** Does the same for a local app, which is given the request itself. */
export function rewriteRequestHeaders(
  request: Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'headersDistinct'>,
  client: ClientIdentity,
  requestId: string,
): void {
  const { headers } = request
  if (hasOwnCookies(headers.cookie)) dropOwnCookies(request)
  const named = namedInConnection(headers.connection)
  let unwanted: Set<string> | undefined
  for (const name in headers) {
    const isUnwanted = isDropped(name, client) || named?.has(name) === true
    if (isUnwanted && !OF_THE_MESSAGE.has(name)) (unwanted ??= new Set()).add(name)
  }
  if (unwanted !== undefined) {
    for (const name of unwanted) Reflect.deleteProperty(headers, name)
    request.rawHeaders = withoutNames(request.rawHeaders, unwanted)
    // Node makes this on first use, of as many raw headers as the request had at first.
    request.headersDistinct = headersDistinctOf(request.rawHeaders)
  }
  setForwarded(headers, headers.host, client, requestId)
}

function dropOwnCookies(request: Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'headersDistinct'>): void {
  const { headers, rawHeaders } = request
  const left = withoutOwnCookies(headers.cookie ?? '')
  if (left === undefined) delete headers.cookie
  else headers.cookie = left
  const raw: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    const value = withoutOwn(name, rawHeaders[i + 1] as string)
    if (value !== undefined) raw.push(name, value)
  }
  request.rawHeaders = raw
  request.headersDistinct = headersDistinctOf(raw)
}

/** Whether this header of a client, named in lower case, is dropped. A trusted proxy's is kept, unless the edge sets that header itself. */
export function isDropped(name: string, { forwardedFor }: ClientIdentity): boolean {
  if (forwardedFor === undefined) return NOT_FORWARDED.has(name) || name.startsWith(X_FORWARDED)
  return NOT_FORWARDED.has(name) && name !== OF_A_PROXY
}

function setForwarded(
  headers: OutgoingHttpHeaders | IncomingHttpHeaders,
  hostAsked: string | undefined,
  client: ClientIdentity,
  requestId: string,
): void {
  headers['x-request-id'] = requestId
  // Without a proxy the app's socket is the client's, and these headers would describe the same hop again.
  if (client.forwardedFor === undefined) return
  headers['x-forwarded-for'] = client.forwardedFor
  headers['x-forwarded-proto'] = client.protocol
  const host = client.forwardedHost ?? hostAsked
  if (host !== undefined) headers['x-forwarded-host'] = host
  headers['x-forwarded-port'] = client.forwardedPort ?? portOf(host, client.protocol)
  headers['x-real-ip'] = client.address
}

function portOf(host: string | undefined, protocol: string): string {
  return /:(\d+)$/.exec(host ?? '')?.[1] ?? (protocol === 'https' ? '443' : '80')
}

/**
 * The raw headers of an answer without those of its connection.
 * @param rawHeaders names and values in turn, as in `IncomingMessage.rawHeaders`
 * @param connection the answer's `Connection` header
 * @param requestId added when the app has none of its own
 * @param kept headers of the connection that stay all the same
 */
export function responseHeaders(
  rawHeaders: string[],
  connection: string | undefined,
  requestId: string | undefined,
  kept: ReadonlySet<string> = NONE_KEPT,
): string[] {
  const named = namedInConnection(connection)
  const headers: string[] = []
  let isNamed = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    // Comparing lengths is cheaper than lower-casing every name.
    if (named !== undefined || SUSPECT_LENGTHS.has(name.length)) {
      const lower = name.toLowerCase()
      if ((HOP_BY_HOP.has(lower) || named?.has(lower) === true) && !kept.has(lower)) continue
      if (lower === 'x-request-id') isNamed = true
    }
    headers.push(name, rawHeaders[i + 1] as string)
  }
  if (!isNamed && requestId !== undefined) headers.push('X-Request-Id', requestId)
  return headers
}

const NONE_KEPT: ReadonlySet<string> = new Set()

/** Names listed in `Connection`, lower-cased: a client may list thousands. Undefined in the usual case, a single keyword. */
function namedInConnection(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined
  const names = listOf(connection.toLowerCase())
  return new Set(names.filter(name => !END_TO_END.has(name)))
}

/** Naming these in `Connection` does not remove them: they frame the message or are set by the edge. */
const END_TO_END = new Set(['host', 'content-length', ...SET_BY_THE_EDGE])

/** Whether naming this header in `Connection` does not remove it. @param name in lower case */
export function isEndToEnd(name: string): boolean {
  return END_TO_END.has(name)
}
