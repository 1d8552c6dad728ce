import { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Exchange } from '../requests/exchange.js'
import type { ClientIdentity } from '../edge/forwarded-headers.js'
import { rewriteRequestHeaders, rewriteTrailers, type Edge } from '../edge/forwarded-headers.js'
import type { Handshake } from '../requests/handshake.js'
import type { InFlight, Target, Transport, UpgradedConnection } from '../targets/target.js'
import { CLOSE_SERVICE_RESTART } from './websocket-frames.js'

/** The app in this process, called directly. */
export interface LocalApp {
  handleRequest(request: IncomingMessage, response: ServerResponse, client: ClientIdentity): void
  /** Whether anybody in it takes upgrades; else the offer is left, and the request is one like any other. */
  upgrades(request: IncomingMessage): boolean
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, client: ClientIdentity): void
}

/** In mesh mode: a target that is a function call away, with no proxy and no copy in between. */
export class LocalTarget implements Transport {
  constructor(
    private readonly app: LocalApp,
    private readonly edge: Edge,
  ) {}

  send(exchange: Exchange, target: Target): void {
    const { request, response, client, requestId, body } = exchange
    exchange.attemptBegun({ abort: () => detach(exchange) })
    rewriteRequestHeaders(request, client, requestId, this.edge)
    if (body.kind === 'stream') request.once('end', () => rewriteTrailers(request, this.edge))
    response.setHeader('X-Request-Id', requestId)
    if (exchange.closing) response.shouldKeepAlive = false
    if (exchange.continueWanted) response.writeContinue()
    if (body.kind !== 'stream') exchange.bodySent()
    else {
      exchange.bodyBegun()
      request.once('end', () => exchange.bodySent())
    }
    const calledAt = performance.now()
    this.app.handleRequest(body.kind === 'held' ? replay(request, body.bytes) : request, response, client)
    if (response.writableEnded && performance.now() - calledAt >= LONG_CALL_MS) keepPlace(target)
  }

  upgrade(handshake: Handshake): void {
    const { request, socket, head, client, requestId } = handshake
    if (!this.app.upgrades(request)) {
      handshake.decline()
      return
    }
    rewriteRequestHeaders(request, client, requestId, this.edge)
    handshake.upgraded(new LocalUpgraded(socket))
    this.app.handleUpgrade(request, socket, head, client)
  }

  close(): void {}
}

/** A call that takes longer keeps those that came with it waiting, which are to be counted. */
const LONG_CALL_MS = 1

/**
 * An app that answers within its call is never seen to have more than one request, however many wait for the event
 * loop. What it answers in one turn of the loop was there at the same time, and counts so.
 */
function keepPlace(target: Target): void {
  const place: InFlight = { targetWentDown: () => undefined, targetBrokeOff: () => undefined }
  target.begin(place)
  setImmediate(() => target.end(place))
}

/** The request as it was before its body was read in order to hold it. */
function replay(request: IncomingMessage, bytes: Buffer): IncomingMessage {
  const { method, url, headers, rawHeaders, headersDistinct, httpVersion, httpVersionMajor, httpVersionMinor } = request
  const again = new IncomingMessage(request.socket)
  Object.assign(again, { method, url, headers, rawHeaders, headersDistinct })
  Object.assign(again, { httpVersion, httpVersionMajor, httpVersionMinor })
  again.complete = true
  again.push(bytes)
  again.push(null)
  return again
}

/**
 * Takes the client's connection away from an app that no longer counts (it hangs, it crashed) and gives the exchange
 * a new response on it. What the app still writes goes nowhere, and does not throw in its face.
 */
function detach(exchange: Exchange): void {
  const { request, response } = exchange
  const { socket } = request
  if (response.writableEnded || socket.destroyed || response.headersSent) return
  response.detachSocket(socket)
  const fresh = new ServerResponse(request)
  // The server has lost track of this connection's turn: the answer is its last.
  fresh.shouldKeepAlive = false
  fresh.assignSocket(socket)
  fresh.once('finish', () => {
    fresh.detachSocket(socket)
    // As the server does for its own: the end of the response is the end of the exchange.
    fresh.emit('close')
    socket.destroySoon()
  })
  exchange.response = fresh
  exchange.watchClient()
}

class LocalUpgraded implements UpgradedConnection {
  constructor(private readonly socket: Duplex) {}

  /** WebSocket libraries write whole frames at a time, so between two writes is between two frames. */
  closeForRestart(): void {
    if (this.socket.writableEnded) return
    this.socket.end(CLOSE_SERVICE_RESTART)
    const timer = setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS)
    this.socket.once('close', () => clearTimeout(timer))
  }
}

const CLOSE_TIMEOUT_MS = 2_000
