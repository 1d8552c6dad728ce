import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { answerProblemOnSocket } from '../errors.js'
import { identify } from './identify.js'
import type { TrustProxy } from '../options.js'
import { TrustedProxies } from './trusted-proxies.js'

/** At most so many connections over the limit are answered at a time. Others are cut, since an answer takes a moment. */
const REFUSED_AT_ONCE = 100
const NOBODY = new TrustedProxies(0)
const IDLE_CHECK_MS = 100
const GONE_CHECK_MS = 20

/**
 * The open connections of clients, and the identity of each client. Node's server does not count connections that were
 * passed to it, and does not close those that it has released for an upgrade.
 */
export class ClientConnections {
  readonly #clients = new Map<Socket, ClientIdentity>()
  readonly #serve: (socket: Socket) => void
  readonly #closeNodesIdle: () => void
  readonly #trusted: TrustedProxies
  #refused = 0
  #adopting = false

  constructor(
    private readonly server: Server,
    private readonly limit: number,
    trustProxy: TrustProxy,
  ) {
    this.#trusted = new TrustedProxies(trustProxy)
    const [serve] = server.listeners('connection') as Array<(socket: Socket) => void>
    if (serve === undefined) throw new TypeError("http.Server has no 'connection' listener")
    this.#serve = serve.bind(server)
    server.removeAllListeners('connection').on('connection', (socket: Socket) => this.#arrived(socket))
    this.#closeNodesIdle = server.closeIdleConnections.bind(server)
    // `server.close` calls this too.
    server.closeIdleConnections = () => this.#closeIdle()
  }

  get size(): number {
    return this.#clients.size
  }

  sockets(): Iterable<Socket> {
    return this.#clients.keys()
  }

  /** Takes a connection that another process has accepted. */
  adopt(socket: Socket): void {
    this.#startWatching()
    this.#arrived(socket)
  }

  /** Returns a connection to the server, which had released it for an upgrade. */
  serveAgain(socket: Socket): void {
    this.#serve(socket)
  }

  /**
   * Reads the peer once per connection: in mesh mode the socket shows the client instead of the peer, and the next
   * request on the connection may be from another client.
   */
  clientOf({ socket, headers }: IncomingMessage): ClientIdentity {
    const peer = this.#clients.get(socket)
    if (peer === undefined) return identify(socket, headers, this.#trusted)
    if (this.#trusted.none) return peer
    const { address: remoteAddress, port: remotePort, protocol } = peer
    return identify({ remoteAddress, remotePort, encrypted: protocol === 'https' }, headers, this.#trusted)
  }

  /** Lets requests in flight end, closes idle connections, and cuts the rest at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.server.close()
    // An answer whose headers had been sent keeps its connection open. It is closed here once it is idle.
    const idle = setInterval(() => this.#closeIdle(), IDLE_CHECK_MS)
    const cut = setTimeout(() => {
      for (const socket of this.#clients.keys()) socket.destroy()
    }, deadlineMs)
    await Promise.race([
      this.#allGone(),
      new Promise(resolve => setTimeout(resolve, deadlineMs + IDLE_CHECK_MS).unref()),
    ])
    clearInterval(idle)
    clearTimeout(cut)
  }

  #arrived(socket: Socket): void {
    if (this.#clients.size >= this.limit) {
      this.#refuse(socket)
      return
    }
    this.#clients.set(socket, identify(socket, {}, NOBODY))
    socket.once('close', () => this.#clients.delete(socket))
    this.#serve(socket)
  }

  #refuse(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    if (this.#refused >= REFUSED_AT_ONCE) {
      socket.destroy()
      return
    }
    this.#refused += 1
    socket.once('close', () => (this.#refused -= 1))
    answerProblemOnSocket(socket, 'TOO_MANY_CONNECTIONS', randomUUID())
  }

  /** Node's server does not time headers or know idle connections before it has emitted 'listening'. */
  #startWatching(): void {
    if (this.#adopting || this.server.listening) return
    this.#adopting = true
    this.server.emit('listening')
  }

  /** Node takes an answer that has ended for one that was sent, and would close its connection too early. */
  #closeIdle(): void {
    const sending = [...this.#clients.keys()].filter(socket => socket.writableLength > 0)
    const release = sending.map(keepBusy)
    this.#closeNodesIdle()
    for (const each of release) each()
    // Node takes a connection that has sent nothing for one that is busy with its first request.
    for (const socket of this.#clients.keys()) if (socket.bytesRead === 0) socket.destroy()
  }

  async #allGone(): Promise<void> {
    while (this.#clients.size > 0) await new Promise(resolve => setTimeout(resolve, GONE_CHECK_MS))
  }
}

/** Makes Node treat the answer on this connection as unfinished. Returns a function that undoes it. */
function keepBusy(socket: Socket & { _httpMessage?: unknown }): () => void {
  const { _httpMessage: answer } = socket
  socket._httpMessage = { finished: false }
  return () => (socket._httpMessage = answer)
}
