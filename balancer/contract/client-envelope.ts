import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** The header by which the edge tells a target who sent a request. The edge never forwards a client's own. */
export const IDENTITY_HEADER = 'x-outpost-client'

/** Who sent a request: a client, or the edge itself to see whether the target is well. */
export type Sender =
  | { kind: 'client'; address: string; /** 0 when it is not known. */ port: number; protocol: 'http' | 'https' }
  | { kind: 'probe' }

/** Seals what the edge knows of a client. @param key shared by the edge and its targets, without spaces */
export function sealClient(key: string, client: { address: string; port: number; protocol: string }): string {
  return `${key} ${client.protocol} ${client.port} ${client.address}`
}

/** Seals a request of the edge's own. */
export function sealProbe(key: string): string {
  return `${key} probe`
}

/**
 * Opens the envelope of a request.
 * @returns undefined unless there is exactly one, sealed with this key: nothing is known of the sender then
 */
export function openEnvelope(rawHeaders: readonly string[], key: string): Sender | undefined {
  const at = envelopeIndex(rawHeaders)
  if (at < 0 || envelopeIndex(rawHeaders, at + 2) >= 0) return undefined
  const value = rawHeaders[at + 1] as string
  if (value.charCodeAt(key.length) !== SPACE || !isSame(value.slice(0, key.length), key)) return undefined
  const [, kind, port, address] = value.slice(key.length).split(' ')
  if (kind === 'probe') return { kind }
  if ((kind !== 'http' && kind !== 'https') || address === undefined) return undefined
  return { kind: 'client', protocol: kind, port: Number(port), address }
}

/** Takes the envelope out of the request's headers, so that nobody sees the key. */
export function removeEnvelope(request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): void {
  const { rawHeaders } = request
  const first = envelopeIndex(rawHeaders)
  // Node makes `headers` out of the raw ones when it is first asked. A property that was added last can be deleted at
  // no cost; any other would turn the whole object into a hash table.
  if (first >= 0) rawHeaders.push(...rawHeaders.splice(first, 2))
  Reflect.deleteProperty(request.headers, IDENTITY_HEADER)
  for (let at = first; at >= 0;) {
    at = envelopeIndex(rawHeaders)
    if (at >= 0) rawHeaders.splice(at, 2)
  }
}

function envelopeIndex(rawHeaders: readonly string[], from = 0): number {
  for (let i = from; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    // Comparing lengths is cheaper than lower-casing every name.
    if (name.length === IDENTITY_HEADER.length && name.toLowerCase() === IDENTITY_HEADER) return i
  }
  return -1
}

/** In a time that does not tell how much of it is right. */
function isSame(given: string, key: string): boolean {
  const [a, b] = [Buffer.from(given, 'latin1'), Buffer.from(key, 'latin1')]
  return a.length === b.length && timingSafeEqual(a, b)
}

const SPACE = 0x20
