import fs from 'node:fs'
import { IncomingMessage, ServerResponse, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { edgeHeaderLimits, targetHeaderLimits } from '#balancer/contract/header-limits.js'
import { nameAnswer } from '#balancer/contract/request-id.js'
import { inListenContext } from './listen-context.js'
import { areSlowOnceChanged, asNodesOwn, bearExpressMessages, type MessageClasses } from './express-messages.js'
import { announceConnection } from './connection-event.js'
import { hasOwnMessages } from './own-messages.js'
import { showServer, edgeToTell } from './shown-server.js'
import { cameBySideDoor } from './side-door.js'
import { adoptClient, passOverRemovedHeaders, PROBE, takeClient, type Client } from './client-identity.js'
import { EarlyAnswers } from './early-answers.js'
import { PacedReads } from './paced-reads.js'
import { RequestCount } from './request-count.js'
import { TrunkListener } from './trunk-listener.js'
import { lengthCheck } from './unfinished-answer.js'
import { refuseUnknown } from './unknown-sender.js'
import { answerProbe, answerProbeUnseen } from './unseen-probes.js'

const IDLE_CHECK_MS = 50

/** Handles some requests before the app. */
export interface EarlyHandler {
  owns(request: IncomingMessage): boolean
  handleRequest(request: IncomingMessage, response: ServerResponse): void
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

export interface WorkerServerOptions {
  socketPath: string
  /** The key of the balancers' envelopes. */
  identityKey: string
  /** The local port of its connections, as the app sees it. */
  publicPort?: number
  config?: {
    maxHeaderBytes: number
    /** Undefined: health checks are answered here, and the app gets none. */
    healthPath: string | undefined
  }
  /** Called for a request without a valid envelope. Nobody but this user can open the socket. */
  onRefused?: () => void
}

/** The app's server, on the unix socket that balancers connect to. */
export class WorkerServer {
  /** The requests of clients, however they came. */
  readonly count = new RequestCount()
  /** The classes of its requests and responses, also for the balancer of mesh mode; undefined for Node's own. */
  readonly messages: MessageClasses | undefined
  /** Only the app's server can make its messages. */
  readonly makesOwnMessages: boolean
  /** The app's server also has request listeners other than Express. */
  #othersListen = false
  readonly #prepared = new WeakSet<Server>()
  readonly #trunks: TrunkListener
  readonly #pacedReads = new PacedReads()
  readonly #early = new EarlyAnswers()

  constructor(
    private server: Server,
    private readonly options: WorkerServerOptions,
    private readonly door: EarlyHandler,
  ) {
    passOverRemovedHeaders()
    this.makesOwnMessages = hasOwnMessages(server)
    this.messages = areSlowOnceChanged ? bearExpressMessages(server) : undefined
    const listening = (): Server | undefined => (this.server.listening ? this.server : undefined)
    this.#trunks = new TrunkListener(options.identityKey, listening, () => options.onRefused?.())
    server.on('newListener', event => {
      if (event === 'request') this.#othersListen = true
    })
    this.#prepare(server)
  }

  /** Another server of the app answers from now on, also what still comes over connections of the previous one. */
  adopt(server: Server): void {
    if (server === this.server) return
    if (this.messages !== undefined) this.#othersListen = true
    if (!this.#prepared.has(server)) this.#prepare(server)
    this.server = server
  }

  #prepare(server: Server): void {
    this.#prepared.add(server)
    // The balancers close unused connections, and have limits of their own for slow clients. A timeout here would start and
    // stop a timer for each request.
    server.keepAliveTimeout = 0
    server.requestTimeout = 0
    const limits = targetHeaderLimits({ ...edgeHeaderLimits, ...this.options.config })
    server.maxHeadersCount = limits.maxHeaders
    // Read for each connection.
    Object.assign(server, { maxHeaderSize: limits.maxHeaderBytes })
    this.#interceptArrivals(server)
    // Node treats a request as an upgrade only if there is a listener.
    server.on('upgrade', (request, socket: Duplex) => this.#noteUpgrade(server, request, socket))
    server.on('clientError', (_error, socket) => socket.destroy())
  }

  /** Resolves when the app has closed its server. */
  get closed(): Promise<void> {
    if (!this.server.listening) return Promise.resolve()
    return new Promise(resolve => this.server.once('close', () => resolve()))
  }

  start(): Promise<void> {
    if (this.server.listening) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      // Exclusive: in a cluster worker any other listen would be made by the primary.
      this.server.listen({ path: this.options.socketPath, exclusive: true }, () => {
        this.server.off('error', reject)
        resolve()
      })
    })
  }

  /** Takes the connections of balancers in frames, too. */
  takeFrames(): Promise<void> {
    return this.#trunks.start(this.options.socketPath)
  }

  /** Mesh mode: the edge takes a connection of a client for the app. */
  takeConnection(take: () => void): void {
    inListenContext(this.server, take)
  }

  /** Mesh mode: serves a request that did not come by the socket. */
  handleRequest(request: IncomingMessage, response: ServerResponse, client: Client): void {
    identify(request, client, this.options.publicPort)
    this.#introduce(request.socket)
    this.count.begin(response, lengthCheck(response))
    try {
      this.server.emit('request', request, response)
    } finally {
      this.count.returned()
    }
  }

  /** The same for a request whose client waits for "100 Continue". Returns false if the app leaves that to Node. */
  checkContinue(request: IncomingMessage, response: ServerResponse, client: Client): boolean {
    if (this.server.listenerCount('checkContinue') === 0) return false
    identify(request, client, this.options.publicPort)
    this.#introduce(request.socket)
    this.count.begin(response, lengthCheck(response))
    try {
      return this.server.emit('checkContinue', request, response)
    } finally {
      this.count.returned()
    }
  }

  /** Whether Socket.IO or a listener of the app would take the upgrade. */
  upgrades(request: IncomingMessage): boolean {
    return this.door.owns(request) || this.server.listenerCount('upgrade') > 1
  }

  /** Mesh mode: serves an upgrade that did not come by the socket. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, client: Client): void {
    identify(request, client, this.options.publicPort)
    this.#introduce(request.socket)
    this.count.beginUpgrade(socket)
    this.#pacedReads.pace(socket, client.address)
    this.server.emit('upgrade', request, socket, head)
  }

  /** To the app it is a connection of its own server. */
  #introduce(connection: Socket): void {
    showServer(this.server, connection)
    announceConnection(this.server, connection)
  }

  /** Siblings get no connection from now on: this process ends soon, and their requests would end with it. */
  hide(): void {
    fs.rmSync(this.options.socketPath, { force: true })
    this.server.closeIdleConnections()
  }

  /** Resolves when no connection is left: requests end, or are cut at the deadline. The server goes on listening. */
  async drain(deadlineMs: number): Promise<void> {
    const deadline = performance.now() + deadlineMs
    this.#trunks.retire()
    for (;;) {
      this.#closeIdle()
      this.count.closeLeftUpgrades()
      if ((await this.#connections()) === 0) return
      if (performance.now() >= deadline) return this.server.closeAllConnections()
      await sleep(IDLE_CHECK_MS)
    }
  }

  #closeIdle(): void {
    this.server.closeIdleConnections()
    this.#early.closeUnread()
  }

  #connections(): Promise<number> {
    return new Promise(resolve => this.server.getConnections((_error, count) => resolve(count)))
  }

  /** Accepts nothing new, lets requests in flight end, and cuts those that have not ended by the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()))
    this.#trunks.retire()
    this.#closeIdle()
    const idle = setInterval(() => this.#closeIdle(), IDLE_CHECK_MS)
    const cut = setTimeout(() => this.server.closeAllConnections(), deadlineMs)
    let givenUp: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => (givenUp = setTimeout(resolve, deadlineMs + IDLE_CHECK_MS)))
    await Promise.race([closed, late])
    clearInterval(idle)
    clearTimeout(cut)
    clearTimeout(givenUp)
  }

  /** Overrides `emit`, so that it runs before every listener, even those added earlier. */
  #interceptArrivals(server: Server): void {
    const { door } = this
    const { identityKey, config } = this.options
    const answersProbes = config !== undefined && config.healthPath === undefined
    const emit = server.emit.bind(server) as (event: string, ...args: unknown[]) => boolean
    const arrived = (event: string, ...args: unknown[]): boolean => {
      if (event === 'connection' && answersProbes) {
        const isHeard = emit(event, ...args)
        answerProbeUnseen(args[0] as Socket, identityKey)
        return isHeard
      }
      if (!ARRIVALS.has(event)) return edgeToTell(event, args)?.emit(event, ...args) ?? emit(event, ...args)
      const [request, second] = args as [IncomingMessage, ServerResponse | Duplex]
      if (cameBySideDoor(request.socket)) return emit(event, ...args)
      if ((request as Identified)[identified] !== true) {
        const client = takeClient(request, identityKey)
        if (client === undefined) {
          this.options.onRefused?.()
          refuseUnknown(second)
          return true
        }
        if (answersProbes && client === PROBE && answerProbe(second)) return true
        identify(request, client, this.options.publicPort)
        if (client !== PROBE) this.#countArrival(second)
        if (event === 'upgrade') this.#pacedReads.pace(second as Duplex, client.address)
        if (event === 'request') this.#early.watch(request, second as ServerResponse)
      }
      if (server !== this.server) return this.server.emit(event, ...args)
      const owned = door.owns(request)
      if (this.messages !== undefined && (owned || event !== 'request' || this.#othersListen)) {
        for (const message of [request, second]) if (isMessage(message)) asNodesOwn(message)
      }
      if (!owned || (event !== 'request' && event !== 'upgrade')) return emit(event, ...args)
      if (event === 'request') door.handleRequest(request, second as ServerResponse)
      else door.handleUpgrade(request, second as Duplex, args[2] as Buffer)
      return true
    }
    Object.assign(server, { emit: arrived })
  }

  #countArrival(answer: ServerResponse | Duplex): void {
    if (answer instanceof ServerResponse) this.count.begin(answer, lengthCheck(answer))
    else this.count.beginUpgrade(answer)
  }

  /** Without a listener of the app, an upgrade is an ordinary request (RFC 9110, section 7.8). */
  #noteUpgrade(server: Server, request: IncomingMessage, socket: Duplex): void {
    if (server.listenerCount('upgrade') > 1) return
    socket.on('error', () => socket.destroy())
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    nameAnswer(response, String(request.headers['x-request-id'] ?? ''))
    response.assignSocket(socket as Socket)
    response.once('finish', () => {
      response.detachSocket(socket as Socket)
      ;(socket as Socket).destroySoon()
    })
    server.emit('request', request, response)
  }
}

/** The events that come with a request. Only `request` goes to the Express app. */
const ARRIVALS = new Set(['request', 'upgrade', 'connect', 'checkContinue', 'checkExpectation'])

function isMessage(value: object): value is IncomingMessage | ServerResponse {
  return value instanceof IncomingMessage || value instanceof ServerResponse
}

/** Marks a request whose client is known. One connection carries requests of many clients. */
const identified = Symbol('identified')

interface Identified extends IncomingMessage {
  [identified]?: true
}

function identify(request: Identified, client: Client, publicPort: number | undefined): void {
  request[identified] = true
  adoptClient(request, client, publicPort)
}
