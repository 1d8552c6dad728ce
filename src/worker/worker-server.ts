import { IncomingMessage, ServerResponse, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { adoptClient, clientFromHeader, hideIdentity, type Client } from './client-identity.js'

/** Longer than the balancers keep an unused connection, so that they are always the ones who close it. */
export const KEEP_ALIVE_MS = 75_000

const IDLE_CHECK_MS = 50

/** The app's server, on the unix socket that the balancers reach it by. */
export class WorkerServer {
  /** Requests whose client is known. */
  readonly #identified = new WeakSet<IncomingMessage>()

  constructor(
    private readonly server: Server,
    private readonly socketPath: string,
  ) {
    server.keepAliveTimeout = KEEP_ALIVE_MS
    // The balancers have limits of their own for slow clients.
    server.requestTimeout = 0
    this.#identifyAll()
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

  /** The same for an upgrade. An app that takes none answers it as any other request, as on a server of its own. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, client: Client): void {
    this.#handOver(request, client)
    if (!this.server.emit('upgrade', request, socket, head)) this.#answerUpgrade(request, socket as Socket)
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

  /**
   * Ahead of whatever the app does with a request. Not by a listener: one for upgrades would make Node believe that
   * the app takes them, and then nobody would answer.
   */
  #identifyAll(): void {
    const emit = this.server.emit.bind(this.server)
    this.server.emit = (event: string, ...args: unknown[]) => {
      const [request] = args
      if (request instanceof IncomingMessage && !this.#identified.has(request)) {
        // Each time anew: one connection of a balancer carries the requests of many clients.
        adoptClient(request, clientFromHeader(request))
        this.#identified.add(request)
      }
      return emit(event, ...args)
    }
  }

  #answerUpgrade(request: IncomingMessage, socket: Socket): void {
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.setHeader('X-Request-Id', request.headers['x-request-id'] ?? '')
    response.assignSocket(socket)
    response.once('finish', () => {
      response.detachSocket(socket)
      socket.destroySoon()
    })
    this.server.emit('request', request, response)
  }

  #handOver(request: IncomingMessage, client: Client): void {
    hideIdentity(request)
    adoptClient(request, client)
    this.#identified.add(request)
  }
}
