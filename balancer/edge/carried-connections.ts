import type { Socket } from 'node:net'
import { LITTLE } from '../contract/dynamic-threshold.js'
import type { ClientAccount } from '../ledger/client-account.js'

/**
 * The connections of trusted proxies that are in use, and the client that each is in use for. While a request is in
 * progress on it, or for as long as it is upgraded, such a connection counts for that client and not for the proxy.
 */
export class CarriedConnections {
  readonly #users = new Map<Socket, ClientAccount>()

  /** @returns false if the client is at its share */
  begin(socket: Socket, proxy: ClientAccount, client: ClientAccount): boolean {
    this.end(socket, proxy)
    // The place that the proxy gives up is one that its client may have.
    proxy.connections.release()
    if (!client.carried.take()) {
      proxy.connections.add()
      return false
    }
    this.#users.set(socket, client)
    client.carriedSockets.add(socket)
    return true
  }

  /** The connection counts for the proxy again. */
  end(socket: Socket, proxy: ClientAccount): void {
    const client = this.#users.get(socket)
    if (client === undefined) return
    this.#users.delete(socket)
    client.carriedSockets.delete(socket)
    client.carried.release()
    proxy.connections.add()
  }

  /** The connections of the client with most, the oldest first. None if it has no more than this, or little. */
  ofLargest(most: number): Iterable<Socket> {
    let largest: ClientAccount | undefined
    for (const client of new Set(this.#users.values())) {
      if (client.carried.held > (largest?.carried.held ?? Math.max(most, LITTLE))) largest = client
    }
    return largest?.carriedSockets ?? []
  }
}
