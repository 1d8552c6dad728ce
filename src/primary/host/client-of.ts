import { clientKey } from '#balancer/contract/client-key.js'
import type { Connection } from './bound-handle.js'

/** The client at the other end. Those that have left already count as one. */
export function clientOf(connection: Connection): string {
  const peer: { address?: string } = {}
  connection.getpeername(peer)
  return clientKey(peer.address ?? '')
}
