import { randomUUID } from 'node:crypto'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { ListenOptions, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ClientConnections } from './edge/client-connections.js'
import { ClientQuota } from './edge/client-quota.js'
import { ConnectionRefusals, responseInProgress } from './edge/connection-refusals.js'
import { Deadlines } from './requests/deadlines.js'
import { headWithoutUpgrade } from './edge/declined-upgrade.js'
import { Dispatcher } from './requests/dispatcher.js'
import { answerProblem, answerProblemOnSocket } from './errors.js'
import { Exchange } from './requests/exchange.js'
import { Upstream } from './transports/forward.js'
import { Handshake } from './requests/handshake.js'
import { HealthCheck, HealthThresholds } from './targets/health-check.js'
import { LocalTarget, type LocalApp } from './transports/local-target.js'
import { resolveOptions, type BalancerOptions } from './options.js'
import { Pipeline } from './edge/pipeline.js'
import { refusalOf, upgradeRefusalOf } from './edge/request-guard.js'
import { StalledClients } from './edge/stalled-clients.js'
import type { Target } from './targets/target.js'
import { TargetPool } from './targets/target-pool.js'

/** How often Node looks for connections whose headers are overdue. */
const HEADERS_CHECK_MS = 5_000

/** A target as it is wanted: there, or on its way out. */
export interface TargetSpec {
  id: string
  /** The unix socket it serves HTTP on. */
  socketPath: string
  draining: boolean
}

/** What is open at this moment; all zero when nothing is going on. */
export interface Ledger {
  inFlight: number
  upgraded: number
  waiting: number
}

export interface BalancerEvents {
  /** The last request in flight at a draining target is over. */
  onDrained?(id: string): void
  onTargetState?(id: string, state: string): void
}

/**
 * An HTTP reverse proxy for targets on unix sockets: balances by request, checks health, retries, holds and drains.
 *
 * @example
 * const balancer = new Balancer({ balance: 'least-busy' })
 * balancer.setTargets([{ id: '1', socketPath: '/run/app/1.sock', draining: false }])
 * await balancer.listen({ port: 3000 })
 */
export class Balancer {
  readonly options: BalancerOptions
  readonly #pool: TargetPool
  readonly #dispatcher: Dispatcher
  readonly #server: http.Server
  readonly #checks = new Map<string, HealthCheck>()
  readonly #handshakes: Deadlines<Handshake>
  readonly #connections: ClientConnections
  readonly #stalled: StalledClients
  readonly #upgradedOf: ClientQuota
  readonly #refusals = new ConnectionRefusals()
  readonly #pipeline: Pipeline
  #localId: string | undefined
  #stopped: Promise<void> | undefined

  constructor(options: Partial<BalancerOptions> = {}, events: BalancerEvents = {}) {
    this.options = resolveOptions(options)
    this.#pool = new TargetPool(this.options)
    this.#pool.on('drained', target => events.onDrained?.(target.id))
    this.#pool.on('changed', target => events.onTargetState?.(target.id, target.state))
    this.#dispatcher = new Dispatcher(this.#pool, this.options)
    this.#handshakes = new Deadlines(this.options.upgradeTimeoutMs, handshake => handshake.giveUp('UPSTREAM_TIMEOUT'))
    this.#upgradedOf = new ClientQuota(this.options.maxUpgradedPerClient)
    this.#pipeline = new Pipeline(this.options.holdLimit, this.options.maxSockets)
    this.#server = this.#createServer()
    this.#connections = new ClientConnections(this.#server, this.options.maxSockets, this.options.trustProxy)
    this.#stalled = new StalledClients(() => this.#connections.sockets(), this.options.clientStallMs)
    this.#stalled.start()
  }

  /** Listens on a port, a path, or a handle that somebody else has bound. */
  listen(where: ListenOptions | object): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(where, () => {
        this.#server.off('error', reject).on('error', () => undefined)
        resolve()
      })
    })
  }

  address(): ReturnType<http.Server['address']> {
    return this.#server.address()
  }

  /** Serves a connection that somebody else has accepted. */
  adopt(socket: Socket): void {
    this.#connections.adopt(socket)
  }

  /**
   * In mesh mode: the app in this process, which is ready.
   * @param socketPath where siblings reach it, by which it is probed like any other; without one it is not
   */
  setLocal(id: string, app: LocalApp, socketPath?: string): void {
    this.#localId = id
    const target = this.#pool.add(id, new LocalTarget(app, this.options), true)
    target.markReady()
    if (socketPath !== undefined) this.#watch(target, socketPath)
  }

  /**
   * The app in this process is not to be trusted any more: what it had not answered goes elsewhere, if it may.
   * @param patienceMs how long it may take to finish the rest
   */
  dropLocal(patienceMs: number): void {
    const local = this.#localId === undefined ? undefined : this.#pool.get(this.#localId)
    if (local === undefined) return
    this.#remove(local.id)
    local.closeUpgraded()
    setTimeout(() => local.breakOff(), patienceMs).unref()
  }

  /** Brings the targets to what is wanted. Those that are missing from `specs` are gone. */
  setTargets(specs: readonly TargetSpec[]): void {
    const wanted = new Set(specs.map(spec => spec.id))
    for (const target of [...this.#pool.targets()]) if (!wanted.has(target.id)) this.#remove(target.id)
    for (const spec of specs) {
      if (this.#pool.get(spec.id) === undefined && spec.id !== this.#localId) this.#add(spec)
      if (spec.draining) this.#pool.get(spec.id)?.beginDrain()
    }
  }

  ledger(): Ledger {
    const ledger = { inFlight: 0, upgraded: 0, waiting: this.#dispatcher.room.size + this.#pipeline.size }
    for (const target of this.#pool.targets()) {
      ledger.inFlight += target.inFlight + target.bound
      ledger.upgraded += target.upgraded
    }
    return ledger
  }

  /** The open connections of clients. */
  get connections(): number {
    return this.#connections.size
  }

  /** From now on each answer is the last on its connection. */
  closeAfterAnswers(): void {
    this.#dispatcher.closing = true
  }

  /** Takes no new connections, lets what is in flight end, and cuts what has not ended by the deadline. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs)
    return this.#stopped
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.closeAfterAnswers()
    for (const target of this.#pool.targets()) target.closeUpgraded()
    await this.#connections.close(deadlineMs)
    this.#stalled.stop()
    this.#dispatcher.stop()
    this.#handshakes.stop()
    for (const id of [...this.#checks.keys()]) this.#remove(id)
  }

  #add({ id, socketPath }: TargetSpec): void {
    const upstream = new Upstream(socketPath, this.options, () => target.markUnreachable())
    const target = this.#pool.add(id, upstream)
    this.#watch(target, socketPath)
  }

  #watch(target: Target, socketPath: string): void {
    const check = new HealthCheck(socketPath, new HealthThresholds(target, this.options), this.options)
    this.#checks.set(target.id, check)
    check.start()
  }

  #remove(id: string): void {
    this.#checks.get(id)?.stop()
    this.#checks.delete(id)
    this.#pool.remove(id)
  }

  #createServer(): http.Server {
    const { clientIdleMs, headersTimeoutMs, maxHeaderBytes, messages } = this.options
    const server = http.createServer({
      ...messages,
      keepAliveTimeout: clientIdleMs,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      // The body has a limit of its own, which does not cut off a long upload: see `bodyIdleMs`.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(HEADERS_CHECK_MS, headersTimeoutMs),
      // A missing Host header is refused by the guard, in words.
      requireHostHeader: false,
      // Of two Authorization headers Node would keep the first and say nothing.
      joinDuplicateHeaders: true,
    })
    server.maxHeadersCount = 0
    server.on('request', (request, response) => this.#serve(request, response, false))
    const refuseExpectation = (_request: IncomingMessage, response: ServerResponse): void => {
      response.shouldKeepAlive = false
      answerProblem(response, 'EXPECTATION_FAILED', randomUUID())
    }
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      // Node looks for it anywhere in the value.
      if (request.headers.expect?.toLowerCase() === '100-continue') this.#serve(request, response, true)
      else refuseExpectation(request, response)
    })
    server.on('checkExpectation', refuseExpectation)
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    server.on('connect', (_request, socket: Duplex) => {
      if (this.#takeOver(socket)) answerProblemOnSocket(socket, 'METHOD_REFUSED', randomUUID())
    })
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refusals.refuse(error, socket))
    return server
  }

  #serve(request: IncomingMessage, response: ServerResponse, continueWanted: boolean): void {
    const requestId = randomUUID()
    const refusal = refusalOf(request, this.options.maxHeaders)
    if (refusal !== undefined) {
      this.#refusals.note(request.socket)
      response.shouldKeepAlive = false
      answerProblem(response, refusal, requestId)
      return
    }
    const client = this.#connections.clientOf(request)
    const exchange = new Exchange(this.#dispatcher, request, response, client, requestId, continueWanted)
    if (!Pipeline.isBehind(response)) exchange.start()
    else if (!this.#pipeline.enter(request, response, () => exchange.start())) {
      answerProblem(response, 'WAITING_ROOM_FULL', requestId)
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!this.#takeOver(socket)) return
    const requestId = randomUUID()
    const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket' && request.httpVersionMinor === 1
    const refusal = refusalOf(request, this.options.maxHeaders) ?? (isWebSocket ? upgradeRefusalOf(request) : undefined)
    if (refusal !== undefined) answerProblemOnSocket(socket, refusal, requestId)
    else if (!isWebSocket) this.#declineUpgrade(request, socket, head)
    else {
      const client = this.#connections.clientOf(request)
      if (!this.#upgradedOf.take(client.address)) {
        answerProblemOnSocket(socket, 'TOO_MANY_UPGRADES', requestId)
        return
      }
      const giveBack = this.#givenBackAtTheEnd(client.address, socket)
      new Handshake(this.#dispatcher, this.#handshakes, request, socket, head, client, requestId, () => {
        giveBack()
        this.#declineUpgrade(request, socket, head)
      }).start()
    }
  }

  /** By itself, so that a connection that lasts keeps nothing of its request. Returns a way to do it earlier. */
  #givenBackAtTheEnd(address: string, socket: Duplex): () => void {
    const giveBack = (): void => this.#upgradedOf.giveBack(address)
    socket.once('close', giveBack)
    return () => {
      socket.off('close', giveBack)
      giveBack()
    }
  }

  /**
   * Node has let go of this connection, and of its errors first of all: a client that is gone before anybody listens
   * would be an uncaught one. False when an earlier answer is still on its way: that cannot be finished any more.
   */
  #takeOver(socket: Duplex): boolean {
    socket.off('error', destroyThis).on('error', destroyThis)
    if (responseInProgress(socket) === undefined) return true
    socket.destroy()
    return false
  }

  /** Gives the connection back to the server, with the same request but for the offer. */
  #declineUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]))
    this.#connections.giveBack(socket as Socket)
  }
}

function destroyThis(this: Duplex): void {
  this.destroy()
}
