import http from 'node:http'
import type { NetConnectOpts, Socket } from 'node:net'
import type { OpenFiles } from '../ledger/open-files.js'
import { connectForBodies } from './body-connection.js'

/**
 * One connection to a target for each connection of a client, for apps that keep something on `req.socket`. It ends with
 * the client's.
 */
export class OwnConnections {
  readonly #agents = new WeakMap<Socket, http.Agent>()

  constructor(
    private readonly idleMs: number,
    private readonly openFiles: OpenFiles,
  ) {}

  /** The agent that gives out the connection for this client's. */
  agentOf(client: Socket): http.Agent {
    const known = this.#agents.get(client)
    if (known !== undefined) return known
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1, timeout: this.idleMs })
    countConnections(agent, this.openFiles)
    this.#agents.set(client, agent)
    client.once('close', () => agent.destroy())
    return agent
  }
}

/** Counts the connections that an agent opens. */
export function countConnections(agent: http.Agent, openFiles: OpenFiles): void {
  Object.assign(agent, { createConnection: (options: NetConnectOpts) => openFiles.count(connectForBodies(options)) })
}
