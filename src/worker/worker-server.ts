import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { adoptClient, clientFromHeader, hideIdentity, type Client } from './client-identity.js'

/** Longer than the balancers keep an unused connection, so that they are always the ones who close it. */
export const KEEP_ALIVE_MS = 75_000

const IDLE_CHECK_MS = 50

/** The app's server, on the unix socket that the balancers reach it by. */
export class WorkerServer {
  /** Requests that came by a call, with their client known. */
  readonly #handedOver = new WeakSet<IncomingMessage>()

  constructor(
    private readonly server: Server,
    private readonly socketPath: string,
  ) {
    server.keepAliveTimeout = KEEP_ALIVE_MS
    // The balancers have limits of their own for slow clients.
    server.requestTimeout = 0
    server.prependListener('request', (request: IncomingMessage) => this.#identify(request))
    server.prependListener('upgrade', (request: IncomingMessage) => this.#identify(request))
    server.on('clientError', (_error, socket) => socket.destroy())
  }

  start(): Promise<void> {
    if (this.server.listening) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      // Exclusive: in a cluster worker any other listen would be made by the primary.
      this.server.listen({ path: this.socketPath, exclusive: true }, () => {
        this.server.off('error', reject)
        resolve()
      })
    })
  }

  /** Mesh mode: serves a request that did not come by the socket. */
  handleRequest(request: IncomingMessage, response: ServerResponse, client: Client): void {
    this.#handOver(request, client)
    this.server.emit('request', request, response)
  }

  /** The same for an upgrade. Without anybody who upgrades, Node's server would answer it as a request; here it ends. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, client: Client): void {
    this.#handOver(request, client)
    if (!this.server.emit('upgrade', request, socket, head)) socket.destroy()
  }

  /** Takes nothing new, lets what is in flight end, and cuts what has not ended by the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()))
    this.server.closeIdleConnections()
    const idle = setInterval(() => this.server.closeIdleConnections(), IDLE_CHECK_MS)
    const cut = setTimeout(() => this.server.closeAllConnections(), deadlineMs)
    await Promise.race([closed, new Promise(resolve => setTimeout(resolve, deadlineMs + IDLE_CHECK_MS))])
    clearInterval(idle)
    clearTimeout(cut)
  }

  #handOver(request: IncomingMessage, client: Client): void {
    hideIdentity(request)
    adoptClient(request, client)
    this.#handedOver.add(request)
  }

  /** Each time anew: one connection of a balancer carries the requests of many clients. */
  #identify(request: IncomingMessage): void {
    if (!this.#handedOver.has(request)) adoptClient(request, clientFromHeader(request))
  }
}
