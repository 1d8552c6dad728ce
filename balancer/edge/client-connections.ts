import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { answerProblemOnSocket } from '../errors.js'
import { identify, type ClientIdentity } from './forwarded-headers.js'

/** Over the limit so many are told so at a time; more are cut, since telling takes a moment. */
const REFUSED_AT_ONCE = 100
const IDLE_CHECK_MS = 100
const GONE_CHECK_MS = 20

/**
 * The open connections of clients, and who is at their other ends. A server of Node's does not count those that it was
 * given, nor close those that it has let go of for an upgrade.
 */
export class ClientConnections {
  readonly #clients = new Map<Socket, ClientIdentity>()
  readonly #serve: (socket: Socket) => void
  readonly #closeNodesIdle: () => void
  #refused = 0
  #given = false

  constructor(
    private readonly server: Server,
    private readonly limit: number,
    private readonly trustProxy: number,
  ) {
    const [serve] = server.listeners('connection') as Array<(socket: Socket) => void>
    if (serve === undefined) throw new TypeError('an http.Server listens for its connections')
    this.#serve = serve.bind(server)
    server.removeAllListeners('connection').on('connection', (socket: Socket) => this.#arrived(socket))
    this.#closeNodesIdle = server.closeIdleConnections.bind(server)
    // Called by `close` as well.
    server.closeIdleConnections = () => this.#closeIdle()
  }

  get size(): number {
    return this.#clients.size
  }

  sockets(): Iterable<Socket> {
    return this.#clients.keys()
  }

  /** One that somebody else has accepted. */
  adopt(socket: Socket): void {
    this.#watchThoseGiven()
    this.#arrived(socket)
  }

  /** Has the server read on from a connection that it had let go of. */
  giveBack(socket: Socket): void {
    this.#serve(socket)
  }

  /**
   * The peer is asked for once a connection: in mesh mode the app is shown the client in the peer's place, and the
   * next request on the connection may be of another client.
   */
  clientOf({ socket, headers }: IncomingMessage): ClientIdentity {
    const peer = this.#clients.get(socket)
    if (peer === undefined) return identify(socket, headers, this.trustProxy)
    if (this.trustProxy === 0) return peer
    const { address: remoteAddress, port: remotePort, protocol } = peer
    return identify({ remoteAddress, remotePort, encrypted: protocol === 'https' }, headers, this.trustProxy)
  }

  /** Lets requests in flight end, closes what is idle, and cuts what has not ended by the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.server.close()
    // An answer whose headers were out already still keeps its connection: found idle, it goes.
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
    this.#clients.set(socket, identify(socket, {}, 0))
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

  /** A server that never listens would neither time overdue headers nor know which of its connections are idle. */
  #watchThoseGiven(): void {
    if (this.#given || this.server.listening) return
    this.#given = true
    this.server.emit('listening')
  }

  /** Node asks each connection for its answer in progress, and takes one that the app has ended for sent. */
  #closeIdle(): void {
    const sending = [...this.#clients.keys()].filter(socket => socket.writableLength > 0)
    const release = sending.map(keepBusy)
    this.#closeNodesIdle()
    for (const each of release) each()
    // To Node a connection that has never said anything is busy with its first request.
    for (const socket of this.#clients.keys()) if (socket.bytesRead === 0) socket.destroy()
  }

  async #allGone(): Promise<void> {
    while (this.#clients.size > 0) await new Promise(resolve => setTimeout(resolve, GONE_CHECK_MS))
  }
}

/** Has the connection look to Node as if its answer were not ended yet, until the function that is returned is called. */
function keepBusy(socket: Socket & { _httpMessage?: unknown }): () => void {
  const { _httpMessage: answer } = socket
  socket._httpMessage = { finished: false }
  return () => (socket._httpMessage = answer)
}
