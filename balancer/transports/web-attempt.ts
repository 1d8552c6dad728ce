import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { Attempt, Exchange } from '../requests/exchange.js'
import { requestHeaders, responseHeaders, type Edge } from '../edge/forwarded-headers.js'

/** What an attempt needs of the way to its target. */
export interface UpstreamLink {
  readonly options: Edge
  connectFailed(error: Error): void
  /** Finds out whether the target is still there. */
  look(): Promise<void>
}

/** One try of a request at an upstream target. To http-proxy it stands in for the client's request. */
export class WebAttempt implements Attempt {
  readonly method: string | undefined
  readonly url = '/'
  readonly httpVersion = '1.1'
  readonly headers: OutgoingHttpHeaders
  readonly socket = NEVER_DESTROYED
  #outgoing: ClientRequest | undefined
  #answer: IncomingMessage | undefined
  #connected = false
  #settled = false

  constructor(
    private readonly upstream: UpstreamLink,
    private readonly exchange: Exchange,
  ) {
    const { request, client, requestId, body } = exchange
    this.method = request.method
    this.headers = requestHeaders(request.headers, client, requestId, upstream.options)
    if (body.kind === 'held') this.headers['content-length'] = body.bytes.length
    exchange.attemptBegun(this)
  }

  /** The library asks to hear of the client's end; the exchange watches for that itself. */
  on(): this {
    return this
  }

  /** Called by the library as soon as there is an outgoing request; nothing of it has been sent yet. */
  pipe(outgoing: ClientRequest): void {
    this.#outgoing = outgoing
    // The library joins paths, and so changes those with "//" or more than one "?".
    outgoing.path = this.exchange.request.url ?? '/'
    // Each of these comes once at the most, so `once` would only add the work of taking the listener off.
    outgoing.on('response', answer => this.#answerBegun(answer))
    outgoing.on('socket', socket => this.#whenConnected(socket))
    outgoing.on('close', () => this.#closed())
    const { body } = this.exchange
    if (body.kind === 'stream') return
    if (body.kind === 'held') outgoing.end(body.bytes)
    else outgoing.end()
    this.exchange.bodySent()
  }

  /** The library may call this more than once. */
  failed(error: Error): void {
    // Once the answer has begun, its own end tells whether it is whole.
    if (this.#settled || this.#answer !== undefined) return
    this.#settled = true
    this.exchange.request.unpipe()
    if (!this.#connected && (error as NodeJS.ErrnoException).syscall === 'connect') {
      this.upstream.connectFailed(error)
      this.exchange.attemptFailed(this, 'connect')
    } else {
      this.#outgoing?.destroy()
      void this.upstream.look().then(() => this.exchange.attemptFailed(this, 'reset'))
    }
  }

  /** Without an error, when the answer is an upgrade that nobody asked for; else the end of every request. */
  #closed(): void {
    if (!this.#settled && this.#answer === undefined) this.failed(new Error('closed without an answer'))
  }

  abort(): void {
    this.#settled = true
    this.exchange.request.unpipe()
    this.#outgoing?.destroy()
  }

  #whenConnected(socket: Socket): void {
    if (socket.connecting) socket.once('connect', () => this.#nowConnected())
    else this.#nowConnected()
  }

  #nowConnected(): void {
    this.#connected = true
    if (this.exchange.body.kind === 'stream') this.#streamBody()
  }

  /** Only now: a body that was read before there is a connection could not be sent to another target. */
  #streamBody(): void {
    const { request, response, continueWanted } = this.exchange
    const outgoing = this.#outgoing
    if (this.#settled || outgoing === undefined) return
    if (request.headers['transfer-encoding'] !== undefined) {
      // The library turns a chunked DELETE or OPTIONS into one without a body, and sends the body all the same.
      outgoing.removeHeader('content-length')
      outgoing.setHeader('transfer-encoding', 'chunked')
    }
    if (continueWanted) response.writeContinue()
    this.exchange.bodyBegun()
    request.once('end', () => this.exchange.bodySent())
    request.pipe(outgoing)
  }

  #answerBegun(answer: IncomingMessage): void {
    // By then the parser has read all that came with the headers, which most often is all there is.
    process.nextTick(() => this.#pass(answer))
  }

  #pass(answer: IncomingMessage): void {
    if (this.#settled) answer.once('error', () => undefined).destroy()
    else if (answer.complete) this.#passWhole(answer, answer.read() as Buffer | null)
    else if (Number(answer.headers['content-length']) <= JOINED_BYTES) this.#passWhenWhole(answer)
    else if (this.#beginAnswer(answer)) {
      // Headers that come ahead of their body go on ahead of it: an event stream is open before its first event.
      if (answer.readableLength === 0) this.exchange.response.flushHeaders()
      this.#streamAnswer(answer)
    }
  }

  /**
   * A short answer of which the client has seen nothing can still be asked for again. Express's sessions send most of
   * an answer, store the session, and send the last byte then: their worker may die in between.
   */
  #passWhenWhole(answer: IncomingMessage): void {
    const parts: Buffer[] = []
    answer.on('data', (part: Buffer) => parts.push(part))
    answer.once('end', () => {
      if (!this.#settled) this.#passWhole(answer, Buffer.concat(parts))
    })
    answer.once('error', () => undefined)
    answer.once('close', () => this.failed(new Error('the answer broke off')))
  }

  /** Returns false when it cannot be passed on, which is a failure of the target. */
  #beginAnswer(answer: IncomingMessage): boolean {
    try {
      this.#passHead(answer)
    } catch (error) {
      this.exchange.response.statusMessage = ''
      answer.once('error', () => undefined).destroy()
      this.failed(error as Error)
      return false
    }
    this.#answer = answer
    this.exchange.answerBegun()
    return true
  }

  /** Throws for what Node's parser lets in but its `ServerResponse` does not let out, such as a status of 099. */
  #passHead(answer: IncomingMessage): void {
    const { response, requestId, closing } = this.exchange
    const status = answer.statusCode ?? 502
    if (status === 101) throw new Error('switches protocols, which nobody asked for')
    if (closing) response.shouldKeepAlive = false
    const headers = responseHeaders(answer.rawHeaders, answer.headers.connection, requestId)
    response.writeHead(status, answer.statusMessage, headers)
  }

  /** It is all here: nothing that is left of it can break, so nothing needs to be listened for. */
  #passWhole(answer: IncomingMessage, body: Buffer | null): void {
    if (!this.#beginAnswer(answer)) return
    const { response } = this.exchange
    if (body === null) response.end()
    // As text of one byte a character it leaves in one piece with its headers, which costs less than a gathered write.
    else if (body.length <= JOINED_BYTES) response.end(body.toString('latin1'), 'latin1')
    else response.end(body)
    this.#finish()
  }

  #streamAnswer(answer: IncomingMessage): void {
    const { response } = this.exchange
    const length = answer.headers['content-length']
    let left = length === undefined ? Infinity : Number(length)
    const onDrain = (): void => void answer.resume()
    answer.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left > 0) {
        if (!response.write(chunk)) answer.pause()
        return
      }
      // The last piece and the end in one write, which for a small answer is all there is.
      response.end(chunk)
      this.#finish()
    })
    response.on('drain', onDrain)
    answer.once('end', () => {
      response.off('drain', onDrain)
      if (!response.writableEnded) response.end()
      this.#finish()
    })
    answer.once('error', () => undefined)
    answer.once('close', () => {
      if (this.#settled) return
      this.#settled = true
      this.exchange.answerBroken()
    })
  }

  /** Not left to the events that follow: the client's response may be over before them, and that would be an abort. */
  #finish(): void {
    if (this.#settled) return
    this.#settled = true
    const { request, body } = this.exchange
    this.exchange.answerComplete()
    if (body.kind !== 'stream' || request.readableEnded) return
    // Answered before the whole body had come: the target wants no more of it, the client may still be sending.
    request.unpipe()
    request.resume()
    this.#outgoing?.destroy()
  }
}

/** Answers up to this size are copied to their headers, and go out whole or not at all. */
const JOINED_BYTES = 2_048

/** Looked at by the library to tell a client that left; the exchange knows that. */
const NEVER_DESTROYED = { destroyed: false }
