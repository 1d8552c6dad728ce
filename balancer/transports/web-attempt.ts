import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { AnswerDelivery, type DeliveryEvents } from './answer-delivery.js'
import type { BodyProgressOptions } from './body-progress.js'
import { requestHeaders, type ForwardingOptions } from './forwarded-headers.js'
import { frameInChunks, isChunked, restoreLength, sendBody } from './outgoing-body.js'
import { passInterim } from './interim-answer.js'
import { sendRest } from './late-body.js'
import type { Attempt, ForwardedRequest } from './transport.js'

/** The connection to a target as an attempt needs it. */
export interface UpstreamLink {
  readonly options: ForwardingOptions & BodyProgressOptions
  connectFailed(error: Error): void
  /** A piece of a streamed body was passed on, in either direction. */
  bytesPassed(bytes: number): void
  /** Finds out whether the target still answers. */
  checkAlive(): Promise<void>
}

/** One try of a request at an upstream target. http-proxy takes it for the client's request. */
export class WebAttempt implements Attempt, DeliveryEvents {
  readonly method: string | undefined
  readonly url = '/'
  readonly httpVersion = '1.1'
  readonly headers: OutgoingHttpHeaders
  readonly socket = NEVER_DESTROYED
  #outgoing: ClientRequest | undefined
  /** The answer as it arrived, before any of it is passed on. */
  #arrived: IncomingMessage | undefined
  /** The client has not been told to send its body. */
  #continueOwed = false
  #connected = false
  #settled = false
  readonly #delivery: AnswerDelivery

  constructor(
    private readonly upstream: UpstreamLink,
    private readonly forwarded: ForwardedRequest,
  ) {
    const { request, client, requestId, body } = forwarded
    this.method = request.method
    this.#delivery = new AnswerDelivery(forwarded, this)
    this.headers = requestHeaders(request, client, requestId, upstream.options)
    // A held body that came in chunks.
    if (body.kind === 'held' && request.headers['content-length'] === undefined) {
      this.headers['content-length'] = body.bytes.length
    }
    forwarded.attemptBegun(this)
  }

  /** http-proxy listens for the client's end. The exchange does that itself. */
  on(): this {
    return this
  }

  /** Called by http-proxy as soon as there is an outgoing request, before any of it is sent. */
  pipe(outgoing: ClientRequest): void {
    this.#outgoing = outgoing
    // http-proxy joins paths, which changes those with "//" or more than one "?".
    outgoing.path = this.forwarded.request.url ?? '/'
    // Each of these is emitted once at most, so `once` would only add the cost of removing the listener.
    outgoing.on('response', answer => this.#answerBegun(answer))
    outgoing.on('socket', socket => this.#whenConnected(socket))
    outgoing.on('close', () => this.#closed())
    outgoing.on('information', info => {
      if (!this.#settled) passInterim(info, this.forwarded)
    })
    // Read when the parser is made, which is later. An app may send more than a client may.
    Object.assign(outgoing, { maxHeaderSize: MAX_ANSWER_HEADER_BYTES })
    const { body, request } = this.forwarded
    if (request.method === 'DELETE' || request.method === 'OPTIONS') restoreLength(outgoing, request, body)
    if (body.kind === 'stream') return
    if (body.kind === 'held') outgoing.end(body.bytes)
    else {
      // Node would announce a length of 0, which an app takes for a body.
      outgoing.useChunkedEncodingByDefault = false
      outgoing.end()
    }
    this.forwarded.bodySent()
  }

  /** http-proxy may call this more than once. */
  failed(error: Error): void {
    // Once the answer has begun, its own end shows whether it is complete.
    if (this.#settled || this.#delivery.begun || this.#arrived?.complete === true) return
    this.#fail(error)
  }

  #fail(error: Error): void {
    this.#settled = true
    this.#delivery.stop()
    this.forwarded.request.unpipe()
    if (!this.#connected && (error as NodeJS.ErrnoException).syscall === 'connect') {
      this.upstream.connectFailed(error)
      this.forwarded.attemptFailed(this, 'connect')
    } else {
      this.#outgoing?.destroy()
      void this.upstream.checkAlive().then(() => this.forwarded.attemptFailed(this, 'reset'))
    }
  }

  /** Every request ends with this. There was no error before it if the answer was an upgrade that was not asked for. */
  #closed(): void {
    if (!this.#settled && !this.#delivery.begun) this.failed(new Error('connection closed without an answer'))
  }

  get isConnecting(): boolean {
    return !this.#connected
  }

  abort(): void {
    this.#settled = true
    this.#delivery.stop()
    this.forwarded.request.unpipe()
    this.#outgoing?.destroy()
  }

  #whenConnected(socket: Socket): void {
    if (socket.connecting) socket.once('connect', () => this.#nowConnected())
    else this.#nowConnected()
  }

  #nowConnected(): void {
    this.#connected = true
    if (this.forwarded.body.kind === 'stream') this.#streamBody()
  }

  /** Waits for the connection: a body that was read before could not be sent to another target. */
  #streamBody(): void {
    const { request, response, continueWanted } = this.forwarded
    const outgoing = this.#outgoing
    if (this.#settled || outgoing === undefined) return
    if (isChunked(request)) frameInChunks(outgoing, request)
    this.forwarded.bodyBegun()
    if (!continueWanted) {
      this.#sendBody(outgoing)
      return
    }
    // Set here, because Node would send the head at once otherwise. The app decides whether it wants the body.
    outgoing.setHeader('Expect', '100-continue')
    this.#continueOwed = true
    outgoing.once('continue', () => {
      if (this.#settled || !this.#continueOwed) return
      this.#continueOwed = false
      response.writeContinue()
      this.#sendBody(outgoing)
    })
    // One write: Node sends such a head at once, and an empty write would fail if the app has answered and closed by then.
    outgoing.cork()
    outgoing.flushHeaders()
    outgoing.uncork()
  }

  #sendBody(outgoing: ClientRequest): void {
    sendBody(this.forwarded, outgoing, bytes => this.bytesPassed(bytes))
  }

  #answerBegun(answer: IncomingMessage): void {
    this.#arrived = answer
    // By then the parser has read all that came with the headers, which is usually the whole answer.
    process.nextTick(() => {
      // The client may send its body or not, so nobody could tell where its next request begins.
      this.#delivery.isLast = this.#continueOwed
      this.#delivery.pass(answer)
    })
  }

  bytesPassed(bytes: number): void {
    this.upstream.bytesPassed(bytes)
  }

  answerFailed(error: Error): void {
    this.#fail(error)
  }

  answerBroken(): void {
    this.#settled = true
    this.forwarded.answerBroken()
  }

  answerDelivered(): void {
    this.#settled = true
    const { request, body } = this.forwarded
    this.forwarded.answerComplete()
    if (body.kind === 'stream' && !request.readableEnded && this.#outgoing !== undefined)
      sendRest(request, this.#outgoing, this.upstream.options)
  }
}

/** Node's own limit for answers is 16 KiB. A client of the app would set its own. */
const MAX_ANSWER_HEADER_BYTES = 256 * 1024

/** http-proxy reads this to notice a client that left. The exchange does that itself. */
const NEVER_DESTROYED = { destroyed: false }
