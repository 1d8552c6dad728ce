import { EventEmitter } from 'node:events'
import { randomUUID } from 'node:crypto'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net, { type ListenOptions, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { answerProblem, answerProblemOnSocket, type BalancerErrorCode } from '../errors.js'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { isOldPoll, speaksEngine } from '../contract/session-names.js'
import type { ClientAccount } from '../ledger/client-account.js'
import type { ClientLedger } from '../ledger/client-ledger.js'
import type { BalancerOptions } from '../options.js'
import type { Dispatcher } from '../requests/dispatcher.js'
import { Exchange } from '../requests/exchange.js'
import { Handshake } from '../requests/handshake.js'
import { ClientConnections } from './client-connections.js'
import { ConnectionRefusals, responseInProgress } from './connection-refusals.js'
import { headWithoutUpgrade } from './declined-upgrade.js'
import { answerHealthCheck } from './health-answer.js'
import { answerPreviewLink } from './preview-link.js'
import { Pipeline } from './pipeline.js'
import { givenRequestId } from './given-request-id.js'
import { refusalOf, upgradeRefusalOf } from './request-guard.js'
import { ReadTurns } from './read-turns.js'
import { joinSmallChunks } from './small-chunks.js'
import { StalledClients } from './stalled-clients.js'
import { SystemQueues } from './system-queues.js'
import { UnreadShares } from './unread-shares.js'
import { offersOther, offersWebSocket, ONLY_UPGRADES } from './upgrade-offers.js'

/** The kernel takes less where it allows less. In a queue that is full, a flood delays everybody else by seconds. */
const BACKLOG = 4_096
/** How often Node looks for connections whose headers are overdue. */
const HEADERS_CHECK_MS = 5_000

export interface ListenerEvents {
  /** Connections are refused because the limit of open ones is reached. */
  onFull?(connections: number): void
  onRefused?(code: BalancerErrorCode, client: string): void
  /** The turn of a request has come on its connection. Nothing of its answer was written. */
  onBegun?(request: IncomingMessage): void
}

/** The HTTP server that clients connect to. Turns each request into an exchange and each upgrade into a handshake. */
export class Listener {
  readonly #options: BalancerOptions
  readonly #server: http.Server
  readonly #connections: ClientConnections
  readonly #stalled: StalledClients
  readonly #unread: UnreadShares
  readonly #turns: ReadTurns
  #maxUpgraded: number
  readonly #pipeline: Pipeline
  readonly #refusals: ConnectionRefusals

  constructor(
    private readonly dispatcher: Dispatcher,
    ledger: ClientLedger,
    private readonly events: ListenerEvents,
  ) {
    this.#refusals = new ConnectionRefusals(dispatcher.options.ownHeaders, (code, client) =>
      events.onRefused?.(code, client),
    )
    const onFull = (connections: number): void => events.onFull?.(connections)
    const { options } = dispatcher
    this.#options = options
    this.#maxUpgraded = options.maxUpgradedPerClient
    this.#pipeline = new Pipeline(options.pipelinedBytesOfOne)
    this.#server = this.#createServer()
    const connections = new ClientConnections(this.#server, ledger, options, onFull)
    this.#connections = connections
    this.#stalled = new StalledClients(() => connections.sockets(), options)
    this.#stalled.start()
    this.#unread = new UnreadShares(connections, new SystemQueues(), options)
    this.#turns = new ReadTurns(connections, options)
    connections.onServed = (socket, reader) => this.#turns.served(socket, reader)
    connections.onUpgraded = (socket, reader) => this.#turns.upgraded(socket, reader)
    connections.onLeft = (socket, reader) => {
      this.#unread.left(socket, reader)
      this.#turns.left(socket, reader)
    }
    this.#unread.start()
    this.#turns.start()
  }

  /** The open connections of clients. */
  get connections(): number {
    return this.#connections.size
  }

  /** Pipelined requests that wait for their turn. */
  get pipelined(): number {
    return this.#pipeline.size
  }

  listen(where: ListenOptions | object): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(where, BACKLOG, () => {
        this.#server.off('error', reject).on('error', () => undefined)
        resolve()
      })
    })
  }

  closeUnread(): void {
    this.#connections.closeUnread()
  }

  /** Node's own `close` of an HTTP server would close idle connections as well. */
  stopListening(): void {
    if (this.#server.listening) net.Server.prototype.close.call(this.#server)
  }

  address(): ReturnType<http.Server['address']> {
    return this.#server.address()
  }

  adopt(socket: Socket): void {
    this.#connections.adopt(socket)
  }

  /** The number of balancers that share the clients. */
  shareClientsAmong(balancers: number): void {
    this.#maxUpgraded = Math.ceil(this.#options.maxUpgradedPerClient / Math.max(1, balancers))
  }

  async close(deadlineMs: number): Promise<void> {
    await this.#connections.close(deadlineMs)
    this.#stalled.stop()
    this.#unread.stop()
    this.#turns.stop()
  }

  #createServer(): http.Server {
    const { clientIdleMs, headersTimeoutMs, maxHeaderBytes, messages, ownHeaders } = this.#options
    const server = http.createServer({
      ...messages,
      ...ONLY_UPGRADES,
      keepAliveTimeout: clientIdleMs,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      // `bodyIdleMs` limits the body instead, and does not cut a long upload.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(HEADERS_CHECK_MS, headersTimeoutMs),
      // The guard refuses a missing Host header with an error code.
      requireHostHeader: false,
    })
    server.maxHeadersCount = 0
    // In mesh mode an app is in this process, and may measure its requests by a method that it puts in the place of Node's.
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with a `this` each time
    server.emit = EventEmitter.prototype.emit
    const refuseExpectation = (request: IncomingMessage, response: ServerResponse): void => {
      const refuse = (): void => {
        response.shouldKeepAlive = false
        answerProblem(response, 'EXPECTATION_FAILED', randomUUID(), ownHeaders)
      }
      if (Pipeline.isBehind(response))
        this.#pipeline.enter(request, response, this.#connections.senderOf(request).account, refuse)
      else refuse()
    }
    server.on('request', (request, response) => this.#serve(request, response, false))
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      // Node finds "100-continue" anywhere in the value.
      if (request.headers.expect?.toLowerCase() === '100-continue') this.#serve(request, response, true)
      else refuseExpectation(request, response)
    })
    server.on('checkExpectation', refuseExpectation)
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    server.on('connect', (_request, socket: Duplex) => {
      if (takeOver(socket)) answerProblemOnSocket(socket, 'METHOD_REFUSED', randomUUID(), ownHeaders)
    })
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refusals.refuse(error, socket))
    return server
  }

  /** Nothing is answered before its turn: one that waits counts for its client, whatever its answer will be. */
  #serve(request: IncomingMessage, response: ServerResponse, continueWanted: boolean): void {
    const { client, account } = this.#connections.senderOf(request)
    joinSmallChunks(request, account)
    if (!Pipeline.isBehind(response)) this.#begin(request, response, continueWanted, client, account)
    else {
      const begin = (): void => this.#begin(request, response, continueWanted, client, account)
      this.#pipeline.enter(request, response, account, begin)
    }
  }

  #begin(
    request: IncomingMessage,
    response: ServerResponse,
    continueWanted: boolean,
    client: ClientIdentity,
    account: ClientAccount,
  ): void {
    this.events.onBegun?.(request)
    const requestId = randomUUID()
    const refusal = refusalOf(request, this.#options.maxHeaders)
    if (refusal !== undefined) {
      this.#refusals.note(refusal, request.socket)
      response.shouldKeepAlive = false
      answerProblem(response, refusal, requestId, this.#options.ownHeaders)
      return
    }
    if (this.dispatcher.isClosed && answerHealthCheck(request, response, this.#options)) return
    const { preview } = this.dispatcher.pool.releases
    if (preview !== undefined && answerPreviewLink(request, response, client, preview, this.#options.ownHeaders)) return
    if (!this.#connections.use(request, account, response)) {
      response.shouldKeepAlive = false
      answerProblem(response, 'TOO_MANY_CONNECTIONS', requestId, this.#options.ownHeaders)
      return
    }
    const id = givenRequestId(request, client) ?? requestId
    const owner = this.#takeSessionName(request)
    new Exchange(this.dispatcher, request, response, client, id, continueWanted, owner, account).start()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!takeOver(socket)) return
    this.events.onBegun?.(request)
    const requestId = randomUUID()
    const isWebSocket = offersWebSocket(request)
    const refusal =
      refusalOf(request, this.#options.maxHeaders) ?? (isWebSocket ? upgradeRefusalOf(request) : undefined)
    if (refusal !== undefined) {
      this.#refusals.note(refusal, request.socket)
      answerProblemOnSocket(socket, refusal, requestId, this.#options.ownHeaders)
    } else if (!isWebSocket && !offersOther(request)) this.#declineUpgrade(request, socket, head)
    else {
      const { client, account } = this.#connections.senderOf(request)
      const isAtLimit = account.upgraded >= this.#maxUpgraded
      if (isAtLimit || !this.#connections.use(request, account)) {
        const code = isAtLimit ? 'TOO_MANY_UPGRADES' : 'TOO_MANY_CONNECTIONS'
        answerProblemOnSocket(socket, code, requestId, this.#options.ownHeaders)
        return
      }
      this.#connections.noteUpgrade(socket as Socket)
      const release = this.#upgradedUntilEnd(account, socket)
      const id = givenRequestId(request, client) ?? requestId
      const { url } = request
      const owner = this.#takeSessionName(request)
      new Handshake(this.dispatcher, request, socket, head, client, id, owner, account, () => {
        release()
        if (url !== undefined) request.url = url
        this.#declineUpgrade(request, socket, head)
      }).start()
    }
  }

  /** The target that has the session of a request. The app gets the session's id as it gave it. */
  #takeSessionName(request: IncomingMessage): string | undefined {
    if (!speaksEngine(request)) return undefined
    const session = this.dispatcher.sessions.read(request.url ?? '')
    if (session === undefined) {
      if (isOldPoll(request)) this.dispatcher.oldPollSeen()
      return undefined
    }
    request.url = session.url
    return session.owner
  }

  /**
   * Counts an upgraded connection until it closes. A separate function, so that a long connection does not keep its
   * request. Returns a function that stops to count it earlier.
   */
  #upgradedUntilEnd(account: ClientAccount, socket: Duplex): () => void {
    account.upgraded += 1
    const release = (): void => void (account.upgraded -= 1)
    socket.on('close', release)
    return () => {
      socket.off('close', release)
      release()
    }
  }

  /** Returns the connection to the server, with the same request but without its offer of an upgrade. */
  #declineUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]))
    this.#connections.serveAgain(socket as Socket)
  }
}

/**
 * Node has released this connection and removed its error listener, so an error would be uncaught until another one is
 * added. Returns false if an earlier answer is still on its way, which cannot be finished any more.
 */
function takeOver(socket: Duplex): boolean {
  socket.off('error', destroyThis).on('error', destroyThis)
  if (responseInProgress(socket) === undefined) return true
  socket.destroy()
  return false
}

function destroyThis(this: Duplex): void {
  this.destroy()
}
