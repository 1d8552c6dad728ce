import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { listOf } from '../contract/raw-headers.js'

/** The other end of a connection, as a socket describes it. */
export interface Peer {
  remoteAddress?: string | undefined
  remotePort?: number | undefined
  encrypted?: boolean
}

/**
 * Finds the client behind `trustProxy` hops. With 0 hops it is the peer. With n hops it is the n-th address from the
 * right of X-Forwarded-For, or the leftmost if there are fewer. An entry that is not an address is ignored, and so is
 * everything left of it. The host is taken from X-Forwarded-Host in the same way.
 */
export function identify(peer: Peer, headers: IncomingHttpHeaders, trustProxy: number): ClientIdentity {
  const peerAddress = plainAddress(peer.remoteAddress ?? '')
  const peerProtocol = peer.encrypted === true ? 'https' : 'http'
  const port = peer.remotePort ?? 0
  if (trustProxy === 0) return { address: peerAddress, port, protocol: peerProtocol, forwardedFor: peerAddress }

  const claimed = trustedHops(headers['x-forwarded-for'], trustProxy)
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
function trustedHops(forwardedFor: string | string[] | undefined, hops: number): string[] {
  const claimed = listOf(forwardedFor).slice(-hops).map(plainAddress)
  return claimed.slice(claimed.findLastIndex(address => isIP(address) === 0) + 1)
}

/** The address without brackets and without the port that some proxies add. */
function plainAddress(written: string): string {
  const address = WITH_PORT.exec(written)?.slice(1).find(Boolean) ?? written
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}

const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/
