import type { IncomingMessage } from 'node:http'

/** The header in which the edge tells a target who sent a request. The edge drops a client's own. */
export const IDENTITY_HEADER = 'x-outpost-client'

/** The sender of a request as the edge knows it. */
export interface ClientIdentity {
  /** IPv4 or IPv6 address. An IPv4 address that is mapped into IPv6 is given as IPv4. */
  address: string
  /** 0 if unknown: a trusted proxy does not report it. */
  port: number
  protocol: 'http' | 'https'
  /** The address that its connection, or its proxy's, came to. Undefined if it is not known. */
  localAddress?: string
  /** The value of X-Forwarded-For that the target gets: the client alone. Only behind a trusted proxy. */
  forwardedFor?: string
  /** The host and port that a trusted hop reports as those the client asked for. Without it, those of Host. */
  forwardedHost?: string
  forwardedPort?: string
}

/** The sender of a request as a target reads it: a client, or a health check of the edge. */
export type Sender = ({ kind: 'client' } & SentBy) | { kind: 'probe' }

interface SentBy {
  address: string
  /** 0 if unknown. */
  port: number
  protocol: 'http' | 'https'
  localAddress?: string
  /** It speaks HTTP/1.0. The edge speaks HTTP/1.1 to targets. */
  isOld?: true
  /** It has sent no Host, which HTTP/1.0 does not need. The one that the request has is of the edge. */
  hasNoHost?: true
}

/** The version of HTTP that a client speaks, where that is not 1.1. */
export type OldVersion = '1.0' | '1.0-without-host'

const UNKNOWN = '-'

/** @returns undefined for HTTP/1.1 */
export function oldVersionOf({ httpVersionMinor, headers }: Spoken): OldVersion | undefined {
  if (httpVersionMinor !== 0) return undefined
  return headers.host === undefined ? '1.0-without-host' : '1.0'
}

type Spoken = Pick<IncomingMessage, 'headers'> & Partial<Pick<IncomingMessage, 'httpVersionMinor'>>

/**
 * Seals the identity of a client.
 * @param key shared by the edge and its targets, without spaces
 * @param version that it speaks; undefined for HTTP/1.1
 */
export function sealClient(
  key: string,
  client: Pick<ClientIdentity, 'address' | 'port' | 'protocol' | 'localAddress'>,
  version?: OldVersion,
): string {
  const { protocol, port, address, localAddress } = client
  const sealed = `${key} ${protocol} ${port} ${address}`
  if (version !== undefined) return `${sealed} ${localAddress ?? UNKNOWN} ${version}`
  return localAddress === undefined ? sealed : `${sealed} ${localAddress}`
}

/** Seals a health check. */
export function sealProbe(key: string): string {
  return `${key} probe`
}

/**
 * Opens the envelope of a request.
 * @returns undefined if the sender is unknown: the request has no envelope, several, or one sealed with another key
 */
export function openEnvelope(rawHeaders: readonly string[], key: string): Sender | undefined {
  const at = envelopeIndex(rawHeaders)
  if (at < 0 || envelopeIndex(rawHeaders, at + 2) >= 0) return undefined
  const value = rawHeaders[at + 1] as string
  if (value.charCodeAt(key.length) !== SPACE || !isSame(value.slice(0, key.length), key)) return undefined
  const [, kind, port, address, localAddress, version] = value.slice(key.length).split(' ')
  if (kind === 'probe') return { kind }
  if ((kind !== 'http' && kind !== 'https') || address === undefined) return undefined
  const sender: Sender = { kind: 'client', protocol: kind, port: Number(port), address }
  if (localAddress !== undefined && localAddress !== UNKNOWN) sender.localAddress = localAddress
  if (version !== undefined) sender.isOld = true
  if (version === WITHOUT_HOST) sender.hasNoHost = true
  return sender
}

/** Removes the envelope from the request's headers, so that the app does not see the key. */
export function removeEnvelope(request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): void {
  const { rawHeaders } = request
  const first = envelopeIndex(rawHeaders)
  if (first < 0) return
  // Node builds `headers` from the raw ones on first use. Deleting the property that was added last is free; deleting
  // any other turns the object into a hash table.
  const last = rawHeaders.length - 2
  const name = rawHeaders[first] as string
  const value = rawHeaders[first + 1] as string
  rawHeaders.copyWithin(first, first + 2)
  rawHeaders[last] = name
  rawHeaders[last + 1] = value
  Reflect.deleteProperty(request.headers, IDENTITY_HEADER)
  rawHeaders.length = last
  for (let at = envelopeIndex(rawHeaders); at >= 0; at = envelopeIndex(rawHeaders)) rawHeaders.splice(at, 2)
}

function envelopeIndex(rawHeaders: readonly string[], from = 0): number {
  for (let i = from; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    // Comparing lengths is cheaper than lower-casing every name.
    if (name.length === IDENTITY_HEADER.length && name.toLowerCase() === IDENTITY_HEADER) return i
  }
  return -1
}

/** Compares without stopping at the first difference, which does not reveal how much of the key is right. */
function isSame(given: string, key: string): boolean {
  let different = given.length ^ key.length
  for (let at = 0; at < key.length; at += 1) different |= given.charCodeAt(at) ^ key.charCodeAt(at)
  return different === 0
}

const SPACE = 0x20
const WITHOUT_HOST: OldVersion = '1.0-without-host'
