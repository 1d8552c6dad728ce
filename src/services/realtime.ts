import { randomBytes } from 'node:crypto'
import http, { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { Server, type ServerOptions } from 'socket.io'
import type { Redis } from 'ioredis'
import type { Logger } from '../process/log.js'
import type { SecurityEvents } from '../process/security-events.js'
import { isSameOrigin } from './origin.js'
import { limitPings } from './ping-limit.js'
import { RealtimeBus } from './realtime-bus.js'
import type { RedisAddress } from './redis.js'
import { limitBacklog, type Session } from './session-backlog.js'
import { inSlices, type Slices } from './sliced-broadcasts.js'

export interface RealtimeOptions {
  workerId: string
  /** The client that publishes. The subscriber is a second client. */
  redis: Redis
  address: RedisAddress
  /** The balancers wait this long for an answer. A poll must be answered earlier. */
  upstreamTimeoutMs: number
  log: Logger
  /** The holdings of sessions, by the addresses of their clients. */
  shares: SessionShares
}

/** The share of the sessions that each client has. */
interface SessionShares {
  mayTake(address: string): boolean
  /** A session that may be ended for a client that finds none left. */
  giverTo(address: string): Session | undefined
  take(address: string, session: Session): void
  release(address: string, session: Session): void
}

/** The app that realtime is part of. */
export interface RealtimeOwner {
  /** Sent with every answer but that to an upgrade. */
  headers: Readonly<Record<string, string>>
  events?: Pick<SecurityEvents, 'note'>
  /** Broadcasts go out through them. Then a packet to one client may overtake a broadcast. */
  slices?: Slices
}

const MAX_PING_INTERVAL_MS = 25_000
/** A session that has joined no namespace within this time is closed. */
const CONNECT_TIMEOUT_MS = 10_000
/** A session costs some 20 KiB, and one over polling costs its client no connection. */
export const MAX_SESSIONS = 10_000
/** Engine.IO waits this long for the next poll of a session that is closed. Its own time is 30 s. */
const CLOSE_TIMEOUT_MS = 3_000
const CLOSED_AT_ONCE = 50
const CLOSING_PAUSE_MS = 50
/** The longest time that a start waits for Redis. */
const SUBSCRIBE_PATIENCE_MS = 2_000

/**
 * One worker's Socket.IO server, joined to the servers of all other workers and machines. It is created at the first
 * call of `io`. Its session ids name the worker, so that people see it; polls find it by the name that the edge adds.
 */
export class Realtime {
  #io: Server | undefined
  #bus: RealtimeBus | undefined
  /** Never listens. Socket.IO is attached to it, so that it does not change the listeners of the app's server. */
  readonly #inner = http.createServer()
  #ownOriginRule = false
  #closing: NodeJS.Timeout | undefined
  #owner: RealtimeOwner = { headers: {} }

  constructor(private readonly options: RealtimeOptions) {}

  /** Sets the app that it is part of, before the first request. */
  ownBy(owner: RealtimeOwner): void {
    this.#owner = owner
  }

  /** The server; options count at the first call. Pages of other origins are refused unless `cors` lets them in. */
  io(given: Partial<ServerOptions> = {}): Server {
    this.#io ??= this.#create(given)
    return this.#io
  }

  /** Resolves when messages of other workers arrive here, or when Redis is known to be away. */
  async joined(): Promise<void> {
    if (this.#bus === undefined) return
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>(resolve => (timer = setTimeout(resolve, SUBSCRIBE_PATIENCE_MS)))
    await Promise.race([this.#bus.subscribed().catch(() => undefined), patience])
    clearTimeout(timer)
  }

  owns({ url }: IncomingMessage): boolean {
    return this.#io !== undefined && url?.startsWith(`${this.#io.path()}/`) === true
  }

  handleRequest(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusalOf(request)
    for (const [name, value] of Object.entries(this.#owner.headers)) response.setHeader(name, value)
    if (refusal === undefined) this.#inner.emit('request', request, response)
    else {
      const { body, headers } = problem(refusal, request)
      response.writeHead(realtimeErrors[refusal].status, headers).end(body)
      request.resume()
    }
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const refusal = this.#refusalOf(request)
    if (refusal === undefined) this.#inner.emit('upgrade', request, socket, head)
    else {
      const { body, headers } = problem(refusal, request)
      const { status } = realtimeErrors[refusal]
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\n${lines.join('')}\r\n${body}`,
      )
    }
  }

  /**
   * Moves the polling clients to other workers, a few at a time. The next poll of each fails, and the client reconnects
   * by itself. The balancers do the same for clients on WebSockets.
   */
  drain(): void {
    if (this.#closing !== undefined || this.#io === undefined) return
    this.#closing = setInterval(() => this.#closeSomePolling(), CLOSING_PAUSE_MS)
    this.#closeSomePolling()
  }

  /** Ends all sessions at once. */
  stop(): void {
    clearInterval(this.#closing)
    this.#owner.slices?.stop()
    this.#io?.engine.close()
    this.#bus?.stop()
  }

  #create(given: Partial<ServerOptions>): Server {
    const { workerId, redis, address, upstreamTimeoutMs, log, shares } = this.options
    const { slices } = this.#owner
    this.#bus = new RealtimeBus(address, redis, log)
    const io = new Server({
      // A poll without a message is answered by a ping.
      pingInterval: Math.min(MAX_PING_INTERVAL_MS, Math.floor(upstreamTimeoutMs * 0.8)),
      connectTimeout: CONNECT_TIMEOUT_MS,
      perMessageDeflate: false,
      ...given,
      adapter: slices === undefined ? this.#bus.adapter : inSlices(this.#bus.adapter, slices),
    })
    this.#ownOriginRule = given.cors !== undefined || given.allowRequest !== undefined
    io.attach(this.#inner)
    io.engine.generateId = () => sessionIdOf(workerId)
    io.engine.on('connection', (session: Session) => {
      limitBacklog(session)
      limitPings(session)
      if ('closeTimeout' in session.transport) session.transport.closeTimeout = CLOSE_TIMEOUT_MS
      const { remoteAddress } = session
      shares.take(remoteAddress, session)
      session.once('close', () => shares.release(remoteAddress, session))
    })
    return io
  }

  #refusalOf(request: IncomingMessage): Refusal | undefined {
    const { url = '', socket } = request
    if (!this.#ownOriginRule && !isSameOrigin(request)) {
      const client = socket.remoteAddress
      this.#owner.events?.note('forbidden', 'realtime connection was refused: a page of another origin opened it', {
        client,
      })
      return 'ORIGIN_REFUSED'
    }
    const query = new URL(url, 'http://localhost').searchParams
    if (query.has('j')) return 'JSONP_REFUSED'
    // As Engine.IO reads it: the last one counts, and without one it makes a new session.
    if ((query.getAll('sid').at(-1) ?? '') !== '') return undefined
    return this.#refusalOfSession(socket.remoteAddress ?? '')
  }

  #refusalOfSession(client: string): Refusal | undefined {
    const { shares } = this.options
    shares.giverTo(client)?.close(true)
    if ((this.#io?.engine.clientsCount ?? 0) >= MAX_SESSIONS) return 'SESSIONS_FULL'
    return shares.mayTake(client) ? undefined : 'SESSIONS_OF_CLIENT'
  }

  #closeSomePolling(): void {
    const sessions = Object.values(this.#io?.engine['clients'] as Record<string, Session>)
    const polling = sessions.filter(
      ({ readyState, transport }) => readyState === 'open' && transport.name === 'polling',
    )
    for (const session of polling.slice(0, CLOSED_AT_ONCE)) session.close()
  }
}

function sessionIdOf(workerId: string): string {
  return `${workerId}.${randomBytes(15).toString('base64url')}`
}

/**
 * Every error with which realtime refuses a new session. docs/errors.md lists the same rows; a test holds
 * the two together.
 */
export const realtimeErrors = {
  ORIGIN_REFUSED: { status: 403, detail: 'A page of another origin may not connect here.' },
  JSONP_REFUSED: { status: 400, detail: 'Polling by scripts (JSONP) is not served.' },
  SESSIONS_OF_CLIENT: { status: 503, detail: 'This address has reached its share of the sessions.' },
  SESSIONS_FULL: { status: 503, detail: 'This worker has reached its limit of sessions.' },
} as const

type Refusal = keyof typeof realtimeErrors

function problem(code: Refusal, request: IncomingMessage): { body: string; headers: Record<string, string | number> } {
  const { status, detail } = realtimeErrors[code]
  const requestId = request.headers['x-request-id']
  const body = JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, code, detail, requestId })
  const headers = {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...(status === 503 ? { 'Retry-After': 1 } : {}),
  }
  return { body, headers }
}
