import { clientKey } from '#balancer/contract/client-key.js'
import type { Connection } from './bound-handle.js'

/** The client at the other end. Those that have left already count as one. */
export function clientOf(connection: Connection): string {
  const peer: { address?: string } = {}
  connection.getpeername(peer)
  return clientKey(peer.address ?? '')
}

/**
 * The client that gives up a connection for one of this client: the one with most. Undefined if nobody has more than this one.
 * @param held what each client has, and how many connections these are
 */
export function giverFor<Held>(
  client: string,
  held: ReadonlyMap<string, Held>,
  countOf: (held: Held) => number,
): string | undefined {
  const own = held.get(client)
  let most = (own === undefined ? 0 : countOf(own)) + 1
  let giver: string | undefined
  for (const [other, each] of held) if (countOf(each) > most) [giver, most] = [other, countOf(each)]
  return giver
}
