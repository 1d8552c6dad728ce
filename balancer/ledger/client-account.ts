import type { Socket } from 'node:net'
import { Holding, type SharedResource } from './holding.js'

/** The resources that all clients share. */
export interface SharedResources {
  connections: SharedResource
  places: SharedResource
  polls: SharedResource
  parsedBytes: SharedResource
  heldBytes: SharedResource
}

/** The holdings of one client: an IPv4 address, or an IPv6 /64. */
export class ClientAccount {
  readonly connections: Holding
  /** Requests at targets that wait for their answers. */
  readonly places: Holding
  /** Of those that belong to a session at one target; most are long polls. */
  readonly polls: Holding
  /** Requests that were parsed and wait for their turn on their connection. */
  readonly parsedBytes: Holding
  /** Bodies in memory that can be sent again. */
  readonly heldBytes: Holding
  /** Upgraded connections. */
  upgraded = 0
  /** Its open connections, the one that was looked at last at the end. */
  readonly sockets = new Set<Socket>()

  constructor(
    readonly client: string,
    resources: SharedResources,
  ) {
    this.connections = new Holding(client, resources.connections)
    this.places = new Holding(client, resources.places)
    this.polls = new Holding(client, resources.polls)
    this.parsedBytes = new Holding(client, resources.parsedBytes)
    this.heldBytes = new Holding(client, resources.heldBytes)
  }

  /** It holds nothing, so it can be forgotten. */
  get isEmpty(): boolean {
    const { connections, places, polls, parsedBytes, heldBytes, upgraded } = this
    return connections.held + places.held + polls.held + parsedBytes.held + heldBytes.held + upgraded === 0
  }
}
