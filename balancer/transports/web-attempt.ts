import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { requestHeaders, responseHeaders, type ForwardingOptions } from './forwarded-headers.js'
import { streamAnswer } from './answer-stream.js'
import { frameInChunks, isChunked, restoreLength, sendBody } from './outgoing-body.js'
import { passInterim } from './interim-answer.js'
import { namedAnswer } from './session-answer.js'
import { collectShort, readWhole } from './short-answer.js'
import { keptForTrailers, passTrailers } from './trailers.js'
import type { Attempt, ForwardedRequest } from './transport.js'

/** What an attempt needs of the connection to its target. */
export interface UpstreamLink {
  readonly options: ForwardingOptions
  connectFailed(error: Error): void
  /** Finds out whether the target still answers. */
  checkAlive(): Promise<void>
}

/** One try of a request at an upstream target. http-proxy takes it for the client's request. */
export class WebAttempt implements Attempt {
  readonly method: string | undefined
  readonly url = '/'
  readonly httpVersion = '1.1'
  readonly headers: OutgoingHttpHeaders
  readonly socket = NEVER_DESTROYED
  #outgoing: ClientRequest | undefined
  #answer: IncomingMessage | undefined
  /** The answer as it arrived, before any of it is passed on. */
  #arrived: IncomingMessage | undefined
  /** The client has not been told to send its body. */
  #continueOwed = false
  #connected = false
  #settled = false

  constructor(
    private readonly upstream: UpstreamLink,
    private readonly forwarded: ForwardedRequest,
  ) {
    const { request, client, requestId, body } = forwarded
    this.method = request.method
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
    if (this.#settled || this.#answer !== undefined || this.#arrived?.complete === true) return
    this.#fail(error)
  }

  #fail(error: Error): void {
    this.#settled = true
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
    if (!this.#settled && this.#answer === undefined) this.failed(new Error('connection closed without an answer'))
  }

  abort(): void {
    this.#settled = true
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
      sendBody(this.forwarded, outgoing)
      return
    }
    // Set here, because Node would send the head at once otherwise. The app decides whether it wants the body.
    outgoing.setHeader('Expect', '100-continue')
    this.#continueOwed = true
    outgoing.once('continue', () => {
      if (this.#settled || !this.#continueOwed) return
      this.#continueOwed = false
      response.writeContinue()
      sendBody(this.forwarded, outgoing)
    })
    // One write: Node sends such a head at once, and an empty write would fail if the app has answered and closed by then.
    outgoing.cork()
    outgoing.flushHeaders()
    outgoing.uncork()
  }

  #answerBegun(answer: IncomingMessage): void {
    this.#arrived = answer
    // By then the parser has read all that came with the headers, which is usually the whole answer.
    process.nextTick(() => this.#pass(answer))
  }

  #pass(answer: IncomingMessage): void {
    if (this.#settled) answer.once('error', () => undefined).destroy()
    else if (answer.complete) this.#passWhole(answer, readWhole(answer))
    else if (Number(answer.headers['content-length']) <= JOINED_BYTES) this.#passWhenWhole(answer)
    else if (this.#beginAnswer(answer)) {
      // Headers that arrive before their body are passed on before it: an event stream opens before its first event.
      if (answer.readableLength === 0) this.forwarded.response.flushHeaders()
      this.#streamAnswer(answer)
    }
  }

  #passWhenWhole(answer: IncomingMessage): void {
    collectShort(answer, {
      whole: body => {
        if (!this.#settled) this.#passWhole(answer, body)
      },
      slow: begin => {
        if (this.#settled || !this.#beginAnswer(answer)) return
        if (begin.length > 0) this.forwarded.response.write(begin)
        else this.forwarded.response.flushHeaders()
        this.#streamAnswer(answer, begin.length)
        answer.resume()
      },
      broken: () => this.failed(new Error('answer broke off')),
    })
  }

  /** Returns false if the answer cannot be passed on, which counts as a failure of the target. */
  #beginAnswer(answer: IncomingMessage): boolean {
    try {
      this.#passHead(answer)
    } catch (error) {
      this.forwarded.response.statusMessage = ''
      answer.once('error', () => undefined).destroy()
      this.#fail(error as Error)
      return false
    }
    this.#answer = answer
    this.forwarded.answerBegun()
    return true
  }

  /** Throws for what Node's parser accepts but its `ServerResponse` does not, such as a status of 099. */
  #passHead(answer: IncomingMessage): void {
    const { response, requestId, closing, addedCookie } = this.forwarded
    const status = answer.statusCode ?? 502
    if (status === 101) throw new Error('answer switches protocols unasked')
    if (closing) response.shouldKeepAlive = false
    const headers = responseHeaders(
      answer.rawHeaders,
      answer.headers.connection,
      requestId,
      keptOf(answer, this.forwarded.request),
    )
    if (addedCookie !== undefined) headers.push('Set-Cookie', addedCookie)
    // The client may send its body or not, so nobody could tell where its next request begins.
    if (this.#continueOwed) response.shouldKeepAlive = false
    response.writeHead(status, answer.statusMessage, headers)
  }

  /** The whole answer is here and cannot break any more, so it needs no listeners. */
  #passWhole(answer: IncomingMessage, received: Buffer | null): void {
    const { forwarded } = this
    const body = forwarded.opensSession ? namedAnswer(answer, received, text => forwarded.nameSession(text)) : received
    if (!this.#beginAnswer(answer)) return
    const { response } = forwarded
    if (answer.rawTrailers.length > 0) passTrailers(answer, this.forwarded)
    if (body === null) response.end()
    // Node sends a string in one piece with the headers, which costs less than a gathered write.
    else if (body.length <= JOINED_BYTES) response.end(body.toString('latin1'), 'latin1')
    else response.end(body)
    this.#finish()
  }

  /** @param passed bytes of the body that were passed on already */
  #streamAnswer(answer: IncomingMessage, passed = 0): void {
    streamAnswer(answer, this.forwarded, passed, {
      sent: () => this.#finish(),
      closed: () => {
        if (this.#settled) return
        this.#settled = true
        this.forwarded.answerBroken()
      },
    })
  }

  /** Does not wait for the events that follow: the response may close before them, which would look like an abort. */
  #finish(): void {
    if (this.#settled) return
    this.#settled = true
    const { request, body } = this.forwarded
    this.forwarded.answerComplete()
    if (body.kind !== 'stream' || request.readableEnded) return
    // The target answered before the whole body arrived and wants no more of it. The client may still be sending.
    request.unpipe()
    request.resume()
    this.#outgoing?.destroy()
  }
}

/** Answers up to this size are sent together with their headers, complete or not at all. */
const JOINED_BYTES = 2_048

/** Node's own limit for answers is 16 KiB. A client of the app would set its own. */
const MAX_ANSWER_HEADER_BYTES = 256 * 1024

const UPGRADE: ReadonlySet<string> = new Set(['upgrade'])

/** Headers of the connection that are passed on: what 426 asks for, and the names of trailers that will follow. */
function keptOf(answer: IncomingMessage, request: IncomingMessage): ReadonlySet<string> | undefined {
  return answer.statusCode === 426 ? UPGRADE : keptForTrailers(answer, request)
}

/** http-proxy reads this to notice a client that left. The exchange does that itself. */
const NEVER_DESTROYED = { destroyed: false }
