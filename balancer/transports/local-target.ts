import { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { DETACHED } from '../contract/detached-response.js'
import { nameAnswer } from '../contract/request-id.js'
import { addCookiesTo } from './added-cookies.js'
import { rewriteRequestHeaders } from './forwarded-headers.js'
import { nameSessionIn } from './session-answer.js'
import { watchLocalFile } from './local-copies.js'
import { rewriteTrailers } from './trailers.js'
import type { ForwardedRequest, ForwardedUpgrade, Places, Transport, UpgradedConnection } from './transport.js'
import { CLOSE_SERVICE_RESTART, speaksWebSocket } from './websocket-frames.js'

/** The app in this process, called directly. */
export interface LocalApp {
  handleRequest(request: IncomingMessage, response: ServerResponse, client: ClientIdentity): void
  /** Lets the app decide whether a client is to send its body. Returns false if the app leaves that to Node. */
  checkContinue?(request: IncomingMessage, response: ServerResponse, client: ClientIdentity): boolean
  /** Whether the app handles upgrades. If not, the request is handled as an ordinary one. */
  upgrades(request: IncomingMessage): boolean
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, client: ClientIdentity): void
}

/** Mesh mode: the target is a function call away, with no proxy and no copy in between. */
export class LocalTarget implements Transport {
  constructor(private readonly app: LocalApp) {}

  send(forwarded: ForwardedRequest, places: Places): void {
    const { request, response, client, requestId, body } = forwarded
    forwarded.attemptBegun({ abort: () => detach(forwarded) })
    rewriteRequestHeaders(request, client, requestId)
    if (body.kind === 'stream') request.once('end', () => rewriteTrailers(request, client))
    nameAnswer(response, requestId)
    if (forwarded.closing) response.shouldKeepAlive = false
    if (forwarded.addedCookies !== undefined) addCookiesTo(response, forwarded.addedCookies)
    if (forwarded.opensSession) nameSessionIn(response, text => forwarded.nameSession(text))
    watchLocalFile(forwarded)
    if (body.kind !== 'stream') forwarded.bodySent()
    else {
      forwarded.bodyBegun()
      request.once('end', () => forwarded.bodySent())
    }
    if (forwarded.continueWanted) {
      if (this.app.checkContinue?.(request, response, client) === true) return
      response.writeContinue()
    }
    const calledAt = performance.now()
    forwarded.clientPlace.usedSince(calledAt)
    this.app.handleRequest(body.kind === 'held' ? replay(request, body.bytes) : request, response, client)
    // An app that answers within its call never has more than one request in flight, however many wait for the event
    // loop. Requests that it answers in one turn of the loop were there at the same time and are counted so.
    if (response.writableEnded && performance.now() - calledAt >= LONG_CALL_MS) places.holdUntilNextTurn()
  }

  upgrade(upgrade: ForwardedUpgrade): void {
    const { request, socket, head, client, requestId } = upgrade
    if (!this.app.upgrades(request)) {
      upgrade.decline()
      return
    }
    rewriteRequestHeaders(request, client, requestId)
    upgrade.upgraded(new LocalUpgraded(socket, speaksWebSocket(request)))
    this.app.handleUpgrade(request, socket, head, client)
    // The client has ended its side while the handshake waited. An app that is not told of it keeps the connection.
    if (socket.readableEnded) process.nextTick(() => socket.emit('end'))
  }

  /** One whole turn of the event loop: those that waited for a place begin after its first callback. */
  ping(answered: () => void): boolean {
    setImmediate(() => setImmediate(answered))
    return true
  }

  close(): void {}
}

/** A call that takes longer delays the requests that arrived with it, so these have to be counted. */
const LONG_CALL_MS = 1

/** A copy of the request whose body can be read again. */
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
 * Takes the client's connection away from an app that hangs or crashed, and answers on it with a new response. What the
 * app still writes is dropped without an error.
 */
function detach(forwarded: ForwardedRequest): void {
  const { request, response } = forwarded
  const { socket } = request
  if (response.writableEnded || socket.destroyed || response.headersSent) return
  response.detachSocket(socket)
  const fresh = new ServerResponse(request)
  // The server no longer knows whose turn it is on this connection, so the answer is the last.
  fresh.shouldKeepAlive = false
  fresh.assignSocket(socket)
  fresh.once('finish', () => {
    fresh.detachSocket(socket)
    // The server does the same for its own responses: 'close' ends the exchange.
    fresh.emit('close')
    socket.destroySoon()
  })
  forwarded.replaceResponse(fresh)
  response.emit(DETACHED)
}

class LocalUpgraded implements UpgradedConnection {
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly socket: Duplex,
    private readonly isWebSocket: boolean,
  ) {
    // As behind a socket: a client that was told of the end has a moment to end as well. An app may not read any more.
    socket.on('finish', () => this.#endSoon())
  }

  /** WebSocket libraries write whole frames, so the stream is at a frame boundary between two writes. */
  closeForRestart(): void {
    if (this.socket.writableEnded) return
    this.socket.end(this.isWebSocket ? CLOSE_SERVICE_RESTART : '')
    this.#endSoon()
  }

  #endSoon(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS)
    this.socket.once('close', () => clearTimeout(this.#timer))
  }
}

const CLOSE_TIMEOUT_MS = 2_000
