import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { LITTLE } from '../contract/dynamic-threshold.js'
import { UnreadBodies } from '../contract/unread-bodies.js'
import { answerProblemOnSocket } from '../errors.js'
import type { ClientAccount } from '../ledger/client-account.js'
import type { ClientLedger } from '../ledger/client-ledger.js'
import { CarriedConnections } from './carried-connections.js'
import { connectionToCut, isIdle } from './spare-connection.js'
import { identify } from './identify.js'
import type { BalancerOptions } from '../options.js'
import type { OpenConnection, Reader } from './reader.js'
import { reset } from '../transports/reset.js'
import { TrustedProxies } from './trusted-proxies.js'

/** How many connections over the limit are answered at a time. Others are cut, since an answer takes a moment. */
const REFUSED_AT_ONCE = 100
const NOBODY = new TrustedProxies(0)
const IDLE_CHECK_MS = 100
const GONE_CHECK_MS = 20
/** How many connections of a client are searched for an idle one that can be closed. */
const LOOKED_AT = 64
const FULL_NOTICE_MS = 60_000

/** The sender of a request, and its account. */
export interface RequestSender {
  client: ClientIdentity
  account: ClientAccount
}

interface ClientConnection extends OpenConnection {
  isUpgraded: boolean
  /** The bytes read when it was last looked at as one that could be closed. */
  bytesSeen: number
}

/**
 * The open connections of clients, and the identity of each client. Node's server does not count connections that were
 * passed to it, and does not close those that it has released for an upgrade.
 *
 * A client that has more connections than are left free loses idle ones when others come, and also busy ones when
 * nothing is left. Those of a trusted proxy count for the clients that they are in use for, and those that it keeps idle have
 * no share: it loses some only when nothing is left.
 */
export class ClientConnections {
  readonly #clients = new Map<Socket, ClientConnection>()
  readonly #serve: (socket: Socket) => void
  readonly #closeNodesIdle: () => void
  readonly #trusted: TrustedProxies
  readonly #carried = new CarriedConnections()
  readonly #unread = new UnreadBodies()
  #refused = 0
  #adopting = false
  #noticedFullAt = -Infinity

  constructor(
    private readonly server: Server,
    private readonly ledger: ClientLedger,
    private readonly options: Pick<BalancerOptions, 'trustProxy' | 'ownHeaders'>,
    private readonly onFull: (connections: number) => void,
  ) {
    this.#trusted = new TrustedProxies(options.trustProxy)
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

  /** Called when requests are read from a connection, when it is upgraded, and when it has closed. */
  onServed: (socket: Socket, connection: OpenConnection) => void = () => undefined
  onUpgraded: (socket: Socket, reader: Reader) => void = () => undefined
  onLeft: (socket: Socket, reader: Reader) => void = () => undefined

  /** The client at this address, whether it has a connection or not. */
  readerAt(address: string): Pick<Reader, 'account' | 'isProxy'> {
    return { account: this.ledger.accountOf(address), isProxy: this.#trusted.includes(address) }
  }

  /** The reader of what is written to an open connection. */
  readerOf(socket: Socket): OpenConnection | undefined {
    return this.#clients.get(socket)
  }

  /** Takes a connection that another process has accepted. */
  adopt(socket: Socket): void {
    this.#startWatching()
    this.#arrived(socket)
  }

  /**
   * A request begins, or an upgrade. A connection of a trusted proxy counts for the client until that is over.
   * @returns false if the client has as many of these as it may
   */
  use({ socket }: IncomingMessage, account: ClientAccount, response?: ServerResponse): boolean {
    const connection = this.#clients.get(socket)
    if (connection?.isProxy !== true) return true
    if (!this.#carried.begin(socket, connection.account, account)) return false
    response?.on('close', () => this.#carried.end(socket, connection.account))
    return true
  }

  /** The connection is upgraded from now on. */
  noteUpgrade(socket: Socket): void {
    const connection = this.#clients.get(socket)
    if (connection === undefined) return
    connection.isUpgraded = true
    this.onUpgraded(socket, connection)
  }

  /** Returns a connection to the server, which had released it for an upgrade. */
  serveAgain(socket: Socket): void {
    const connection = this.#clients.get(socket)
    if (connection !== undefined) {
      connection.isUpgraded = false
      this.#carried.end(socket, connection.account)
    }
    this.#serve(socket)
    if (connection !== undefined) this.onServed(socket, connection)
  }

  /**
   * Reads the peer once per connection: in mesh mode the socket shows the client instead of the peer, and the next
   * request on the connection may be from another client.
   */
  senderOf({ socket, headers }: IncomingMessage): RequestSender {
    const connection = this.#clients.get(socket)
    if (connection !== undefined && this.#trusted.none) return { client: connection.peer, account: connection.account }
    const peer = connection?.peer ?? identify(socket, {}, NOBODY)
    const { address: remoteAddress, port: remotePort, protocol, localAddress } = peer
    const end = { remoteAddress, remotePort, localAddress, encrypted: protocol === 'https' }
    const client = identify(end, headers, this.#trusted)
    return { client, account: this.ledger.accountOf(client.address) }
  }

  /** Lets requests in flight end, closes idle connections, and cuts the rest at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.server.close()
    // An answer whose headers had been sent keeps its connection open. It is closed here once it is idle.
    const idle = setInterval(() => this.#closeIdle(), IDLE_CHECK_MS)
    const cut = setTimeout(() => {
      for (const socket of this.#clients.keys()) socket.destroy()
    }, deadlineMs)
    const late = new Promise(resolve => setTimeout(resolve, deadlineMs + IDLE_CHECK_MS).unref())
    await Promise.race([this.#allGone(), late])
    clearInterval(idle)
    clearTimeout(cut)
  }

  /** Closes those whose request has its answer, and whose body nobody reads. */
  closeUnread(): void {
    for (const socket of this.#unread.leftIn(this.#clients.keys(), performance.now())) socket.destroy()
  }

  #arrived(socket: Socket): void {
    const peer = identify(socket, {}, NOBODY)
    const account = this.ledger.accountOf(peer.address)
    const isProxy = this.#trusted.includes(peer.address)
    if (!this.#makeRoomFor(account, isProxy)) {
      this.#refuse(socket)
      return
    }
    account.connected(socket)
    const connection = { peer, account, isProxy, isUpgraded: false, bytesSeen: 0 }
    this.#clients.set(socket, connection)
    // A listener of `once` would take three objects more for each connection, however long it is open.
    socket.on('close', () => this.#left(socket))
    this.#serve(socket)
    this.onServed(socket, connection)
  }

  #left(socket: Socket): void {
    const connection = this.#clients.get(socket)
    if (connection === undefined) return
    this.#clients.delete(socket)
    this.#carried.end(socket, connection.account)
    connection.account.disconnected(socket)
    this.onLeft(socket, connection)
  }

  /** Returns false if there is no room and none can be made. */
  #makeRoomFor(account: ClientAccount, isProxy: boolean): boolean {
    const { connections } = this.ledger.resources
    // As long as more than half are free, nobody is at a share.
    if (connections.free > connections.held) return true
    const largest = this.ledger.largest(performance.now())
    const { held } = account.connections
    const most = largest?.connections.held ?? 0
    const isFull = connections.free <= 0
    // Nobody knows yet which client the connection of a proxy is for.
    const mayCutCarried = isFull && (isProxy || held < LITTLE)
    if (mayCutCarried && this.#cutOneOf(this.#carried.ofLargest(most))) return connections.free > 0
    if (largest !== undefined && most > Math.max(connections.free, held + 1)) {
      const isClosed = this.#closeIdleOf(largest, !isFull)
      const mayCut = isFull && held < LITTLE && most > LITTLE && !this.#isOfProxy(largest)
      if (!isClosed && mayCut) this.#cutOneOf(largest.sockets)
    }
    if (connections.free > 0 && (isProxy || account.connections.mayTake())) return true
    const isClosed = this.#closeIdleOf(account, false) || (mayCutCarried && this.#cutOneOf(this.#carried.ofLargest(0)))
    return isClosed && connections.free > 0
  }

  #isOfProxy({ sockets }: ClientAccount): boolean {
    const [first] = sockets
    return first !== undefined && this.#clients.get(first)?.isProxy === true
  }

  /**
   * Closes an idle connection of this client, if possible one that nothing has come on since the last look.
   * @param sparesProxies a proxy keeps its own
   */
  #closeIdleOf(account: ClientAccount, sparesProxies: boolean): boolean {
    let idle: Socket | undefined
    let left = Math.min(LOOKED_AT, account.sockets.size)
    for (const socket of account.sockets) {
      const connection = this.#clients.get(socket)
      if (connection === undefined || (sparesProxies && connection.isProxy)) return false
      if ((left -= 1) < 0) break
      if (!connection.isUpgraded && isIdle(socket)) {
        idle ??= socket
        if (socket.bytesRead === connection.bytesSeen) {
          idle = socket
          break
        }
      }
      connection.bytesSeen = socket.bytesRead
      account.lookedAt(socket)
    }
    if (idle === undefined) return false
    idle.destroy()
    this.#left(idle)
    return true
  }

  /** Nothing is left, and others would get nothing for as long as this goes on. */
  #cutOneOf(sockets: Iterable<Socket>): boolean {
    const cut = connectionToCut(sockets, socket => this.#clients.get(socket)?.isUpgraded === true)
    if (cut === undefined) return false
    reset(cut)
    this.#left(cut)
    return true
  }

  #refuse(socket: Socket): void {
    const now = performance.now()
    if (this.ledger.resources.connections.free <= 0 && now - this.#noticedFullAt >= FULL_NOTICE_MS) {
      this.#noticedFullAt = now
      this.onFull(this.#clients.size)
    }
    socket.on('error', () => socket.destroy())
    if (this.#refused >= REFUSED_AT_ONCE) {
      socket.destroy()
      return
    }
    this.#refused += 1
    socket.once('close', () => (this.#refused -= 1))
    answerProblemOnSocket(socket, 'TOO_MANY_CONNECTIONS', randomUUID(), this.options.ownHeaders)
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
    this.closeUnread()
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
