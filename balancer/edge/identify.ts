import type { IncomingHttpHeaders } from 'node:http'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { listOf } from '../contract/raw-headers.js'
import { plainAddress } from './plain-address.js'
import type { TrustedProxies } from './trusted-proxies.js'

/** The other end of a connection, as a socket describes it. */
export interface Peer {
  remoteAddress?: string | undefined
  remotePort?: number | undefined
  localAddress?: string | undefined
  encrypted?: boolean
}

/**
 * Finds the client behind the trusted proxies; in front of none it is the peer. Behind n hops it is the n-th address
 * from the right of X-Forwarded-For, or the leftmost if there are fewer; behind proxies that are known by their addresses
 * it is the first from the right that is none of them. An entry that is not an address is ignored, and so is everything
 * left of it. The host is taken from X-Forwarded-Host in the same way.
 */
export function identify(peer: Peer, headers: IncomingHttpHeaders, trusted: TrustedProxies): ClientIdentity {
  const peerAddress = plainAddress(peer.remoteAddress ?? '')
  const peerProtocol = peer.encrypted === true ? 'https' : 'http'
  const port = peer.remotePort ?? 0
  const local = peer.localAddress === undefined ? {} : { localAddress: plainAddress(peer.localAddress) }
  if (!trusted.includes(peerAddress)) return { address: peerAddress, port, protocol: peerProtocol, ...local }

  const claimed = trusted.claimsIn(listOf(headers['x-forwarded-for']))
  const hops = Math.max(1, claimed.length)
  const protocol = listOf(headers['x-forwarded-proto']).at(-1)
  const [forwardedHost] = listOf(headers['x-forwarded-host']).slice(-hops)
  const [forwardedPort] = listOf(headers['x-forwarded-port']).slice(-hops)
  const address = claimed[0] ?? peerAddress
  return {
    address,
    port: claimed.length === 0 ? port : 0,
    protocol: protocol === 'https' || protocol === 'http' ? protocol : peerProtocol,
    ...local,
    forwardedFor: address,
    ...(forwardedHost === undefined ? {} : { forwardedHost }),
    ...(forwardedPort === undefined ? {} : { forwardedPort }),
  }
}
