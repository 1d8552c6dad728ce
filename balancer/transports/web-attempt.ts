import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { forwardedTrailers, requestHeaders, responseHeaders, type ForwardingOptions } from './forwarded-headers.js'
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
    this.headers = requestHeaders(request.headers, client, requestId, upstream.options)
    if (body.kind === 'held') this.headers['content-length'] = body.bytes.length
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
    outgoing.on('information', info => this.#passInformation(info as unknown as IncomingMessage))
    // Read when the parser is made, which is later. An app may send more than a client may.
    Object.assign(outgoing, { maxHeaderSize: MAX_ANSWER_HEADER_BYTES })
    const { body } = this.forwarded
    if (body.kind === 'stream') return
    if (body.kind === 'held') outgoing.end(body.bytes)
    else outgoing.end()
    this.forwarded.bodySent()
  }

  /** http-proxy may call this more than once. */
  failed(error: Error): void {
    // Once the answer has begun, its own end shows whether it is complete.
    if (this.#settled || this.#answer !== undefined || this.#arrived?.complete === true) return
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
    const isChunked = request.headers['transfer-encoding'] !== undefined
    if (isChunked) {
      // http-proxy marks a chunked DELETE or OPTIONS as one without a body, but sends the body all the same.
      outgoing.removeHeader('content-length')
      outgoing.setHeader('transfer-encoding', 'chunked')
      const { trailer } = request.headers
      if (trailer !== undefined) outgoing.setHeader('trailer', trailer)
    }
    this.forwarded.bodyBegun()
    if (!continueWanted) {
      this.#flow(outgoing, isChunked)
      return
    }
    // Set here, because Node would send the head at once otherwise. The app decides whether it wants the body.
    outgoing.setHeader('expect', '100-continue')
    this.#continueOwed = true
    outgoing.once('continue', () => {
      if (this.#settled || !this.#continueOwed) return
      this.#continueOwed = false
      response.writeContinue()
      this.#flow(outgoing, isChunked)
    })
    outgoing.flushHeaders()
  }

  #flow(outgoing: ClientRequest, isChunked: boolean): void {
    const { request, client } = this.forwarded
    request.once('end', () => {
      if (isChunked && request.rawTrailers.length > 0)
        outgoing.addTrailers(forwardedTrailers(request.rawTrailers, client))
      outgoing.end()
      this.forwarded.bodySent()
    })
    request.pipe(outgoing, { end: false })
  }

  /** Passes on an answer like 103 that comes before the real one. HTTP/1.0 has none (RFC 9110, section 15.2). */
  #passInformation({ statusCode = 0, statusMessage = '', rawHeaders, headers }: IncomingMessage): void {
    const { request, response } = this.forwarded
    if (statusCode === CONTINUE || this.#settled || response.headersSent || request.httpVersionMinor === 0) return
    const passed = responseHeaders(rawHeaders, headers.connection, undefined)
    let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`
    for (let i = 0; i < passed.length; i += 2) head += `${passed[i] ?? ''}: ${passed[i + 1] ?? ''}\r\n`
    response.socket?.write(`${head}\r\n`, 'latin1')
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

  /**
   * While the client has seen nothing of a short answer, which is for a moment at most, the request can be repeated. express-session sends most of an
   * answer, stores the session and then sends the last byte; the worker may die in between.
   */
  #passWhenWhole(answer: IncomingMessage): void {
    const parts: Buffer[] = []
    const onData = (part: Buffer): void => void parts.push(part)
    const onEnd = (): void => {
      clearTimeout(patience)
      if (!this.#settled) this.#passWhole(answer, Buffer.concat(parts))
    }
    const onClose = (): void => {
      clearTimeout(patience)
      this.failed(new Error('answer broke off'))
    }
    const onError = (): void => undefined
    answer.on('data', onData).once('end', onEnd).once('error', onError).once('close', onClose)
    // Somebody who writes a piece now and the rest later means the client to see it.
    const patience = setTimeout(() => {
      if (this.#settled || answer.complete) return
      answer.pause()
      answer.off('data', onData).off('end', onEnd).off('close', onClose)
      if (!this.#beginAnswer(answer)) return
      const passed = Buffer.concat(parts)
      if (passed.length > 0) this.forwarded.response.write(passed)
      else this.forwarded.response.flushHeaders()
      this.#streamAnswer(answer, passed.length)
      answer.resume()
    }, WHOLE_PATIENCE_MS)
  }

  /** Returns false if the answer cannot be passed on, which counts as a failure of the target. */
  #beginAnswer(answer: IncomingMessage): boolean {
    try {
      this.#passHead(answer)
    } catch (error) {
      this.forwarded.response.statusMessage = ''
      answer.once('error', () => undefined).destroy()
      this.failed(error as Error)
      return false
    }
    this.#answer = answer
    this.forwarded.answerBegun()
    return true
  }

  /** Throws for what Node's parser accepts but its `ServerResponse` does not, such as a status of 099. */
  #passHead(answer: IncomingMessage): void {
    const { response, requestId, closing } = this.forwarded
    const status = answer.statusCode ?? 502
    if (status === 101) throw new Error('answer switches protocols unasked')
    if (closing) response.shouldKeepAlive = false
    const headers = responseHeaders(answer.rawHeaders, answer.headers.connection, requestId, this.#keptOf(answer))
    // The client may send its body or not, so nobody could tell where its next request begins.
    if (this.#continueOwed) response.shouldKeepAlive = false
    response.writeHead(status, answer.statusMessage, headers)
  }

  /** The whole answer is here and cannot break any more, so it needs no listeners. */
  #passWhole(answer: IncomingMessage, body: Buffer | null): void {
    if (!this.#beginAnswer(answer)) return
    const { response } = this.forwarded
    if (answer.rawTrailers.length > 0) this.#passTrailers(answer)
    if (body === null) response.end()
    // Node sends a string in one piece with the headers, which costs less than a gathered write.
    else if (body.length <= JOINED_BYTES) response.end(body.toString('latin1'), 'latin1')
    else response.end(body)
    this.#finish()
  }

  /** Headers of the connection that are passed on: what 426 asks for, and the names of trailers that will follow. */
  #keptOf(answer: IncomingMessage): ReadonlySet<string> | undefined {
    if (answer.statusCode === 426) return UPGRADE
    return answer.headers.trailer !== undefined && this.#passesTrailers(answer) ? TRAILER : undefined
  }

  #passesTrailers(answer: IncomingMessage): boolean {
    const { httpVersionMinor, method } = this.forwarded.request
    return httpVersionMinor === 1 && method !== 'HEAD' && answer.headers['transfer-encoding'] !== undefined
  }

  #passTrailers(answer: IncomingMessage): void {
    if (!this.#passesTrailers(answer)) return
    const passed = responseHeaders(answer.rawTrailers, undefined, undefined)
    const pairs = passed.flatMap((name, i) => (i % 2 === 0 ? [[name, passed[i + 1] ?? ''] as [string, string]] : []))
    this.forwarded.response.addTrailers(pairs)
  }

  /** @param passed bytes of the body that were passed on already */
  #streamAnswer(answer: IncomingMessage, passed = 0): void {
    const { response } = this.forwarded
    const length = answer.headers['content-length']
    let left = length === undefined ? Infinity : Number(length) - passed
    const onDrain = (): void => void answer.resume()
    answer.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left > 0) {
        if (!response.write(chunk)) answer.pause()
        return
      }
      // Sends the last piece and the end in one write.
      response.end(chunk)
      this.#finish()
    })
    response.on('drain', onDrain)
    answer.once('end', () => {
      response.off('drain', onDrain)
      if (answer.rawTrailers.length > 0 && !response.writableEnded) this.#passTrailers(answer)
      if (!response.writableEnded) response.end()
      this.#finish()
    })
    answer.once('error', () => undefined)
    answer.once('close', () => {
      if (this.#settled) return
      this.#settled = true
      this.forwarded.answerBroken()
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

/** The rest of a short answer is waited for this long. express-session stores a session before it sends the last byte. */
const WHOLE_PATIENCE_MS = 20

/** Node's own limit for answers is 16 KiB. A client of the app would set its own. */
const MAX_ANSWER_HEADER_BYTES = 256 * 1024

/** Has an event of its own. */
const CONTINUE = 100

const UPGRADE: ReadonlySet<string> = new Set(['upgrade'])
const TRAILER: ReadonlySet<string> = new Set(['trailer'])

/** http-proxy reads this to notice a client that left. The exchange does that itself. */
const NEVER_DESTROYED = { destroyed: false }

/** All that has arrived. Since Node 26 one read returns one chunk, before it returned all of them. */
function readWhole(answer: IncomingMessage): Buffer | null {
  const parts: Buffer[] = []
  for (let part = answer.read() as Buffer | null; part !== null; part = answer.read() as Buffer | null) parts.push(part)
  return parts.length > 1 ? Buffer.concat(parts) : (parts[0] ?? null)
}
