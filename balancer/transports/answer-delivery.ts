import type { IncomingMessage } from 'node:http'
import { endAnswer } from '../errors.js'
import type { Answer, AnswerHead } from './answer.js'
import { streamAnswer } from './answer-stream.js'
import { responseHeaders } from './forwarded-headers.js'
import { namedAnswer } from './session-answer.js'
import { collectShort, readWhole } from './short-answer.js'
import { keptForTrailers, passTrailers } from './trailers.js'
import type { ForwardedRequest } from './transport.js'

/** How a delivery continues and ends. At most one of the ends is called. */
export interface DeliveryEvents {
  /** A piece of a streamed body was passed on. */
  bytesPassed(bytes: number): void
  /** The client has seen nothing of the answer. */
  answerFailed(error: Error): void
  /** All of it was given to the client's connection. */
  answerDelivered(): void
  /** The client has seen a part of it, and no more will come. */
  answerBroken(): void
}

/** Passes the answer of a target on to the client. */
export class AnswerDelivery {
  #over = false
  #begun = false
  /** The client's connection ends with this answer, because the client waits for "100 Continue" and will not get it. */
  isLast = false

  constructor(
    private readonly forwarded: ForwardedRequest,
    private readonly events: DeliveryEvents,
  ) {}

  /** The client has been given the head of the answer. */
  get begun(): boolean {
    return this.#begun
  }

  /** Nothing more of it is passed on or reported. */
  stop(): void {
    this.#over = true
  }

  /** Passes an answer on whose head has arrived, and perhaps more. */
  pass(answer: Answer): void {
    if (this.#over) return void answer.once('error', () => undefined).destroy()
    const kept = answer.statusCode === 404 ? this.forwarded.keptAnswer() : undefined
    if (kept !== undefined) {
      // Read to its end, so that its connection can carry another request.
      answer.once('error', () => undefined).resume()
      this.passWhole(kept.head, kept.body)
    } else if (answer.complete) this.passWhole(answer, readWhole(answer))
    else if (Number(answer.headers['content-length']) <= JOINED_BYTES) this.#passWhenWhole(answer)
    else if (this.#begin(answer)) {
      // Headers that arrive before their body are passed on before it: an event stream opens before its first event.
      if (answer.readableLength === 0) this.forwarded.response.flushHeaders()
      this.#stream(answer)
    } else answer.once('error', () => undefined).destroy()
  }

  /** Passes an answer on that cannot break any more. */
  passWhole(answer: AnswerHead, received: Buffer | null): void {
    if (this.#over) return
    const { forwarded } = this
    if (answer.statusCode === 404) {
      const kept = forwarded.keptAnswer()
      if (kept !== undefined) [answer, received] = [kept.head, kept.body]
    } else if (answer.statusCode === 200) {
      const copy = forwarded.copyOf(answer)
      if (received !== null) copy?.add(received)
      copy?.end()
    }
    const body = forwarded.opensSession ? namedAnswer(answer, received, text => forwarded.nameSession(text)) : received
    if (!this.#begin(answer)) return
    if (answer.rawTrailers.length > 0) passTrailers(answer, forwarded)
    if (body === null) this.#end()
    // Node sends a string in one piece with the headers, which costs less than a gathered write.
    else if (body.length <= JOINED_BYTES) this.#end(body.toString('latin1'), 'latin1')
    else this.#end(body)
    this.#delivered()
  }

  #passWhenWhole(answer: Answer): void {
    collectShort(answer, {
      whole: body => this.passWhole(answer, body),
      slow: begin => {
        if (this.#over || !this.#begin(answer)) return
        if (begin.length > 0) this.forwarded.response.write(begin)
        else this.forwarded.response.flushHeaders()
        this.#stream(answer, begin)
        answer.resume()
      },
      broken: () => this.#failed(new Error('answer broke off')),
    })
  }

  /** Returns false if the answer cannot be passed on, which counts as a failure of the target. */
  #begin(answer: AnswerHead): boolean {
    try {
      this.#passHead(answer)
    } catch (error) {
      this.forwarded.response.statusMessage = ''
      this.#failed(error as Error)
      return false
    }
    this.#begun = true
    this.forwarded.answerBegun()
    return true
  }

  /** Throws for what a parser accepts but Node's `ServerResponse` does not, such as a status of 099. */
  #passHead(answer: AnswerHead): void {
    const { request, response, requestId, closing, addedCookies } = this.forwarded
    const status = answer.statusCode ?? 502
    if (status === 101) throw new Error('answer switches protocols unasked')
    const kept = keptOf(answer, request)
    const headers = responseHeaders(answer.rawHeaders, answer.headers.connection, requestId, kept)
    if (addedCookies !== undefined) headers.push(...addedCookies.flatMap(cookie => ['Set-Cookie', cookie]))
    if (closing || this.isLast) response.shouldKeepAlive = false
    response.writeHead(status, answer.statusMessage, headers)
  }

  /** @param passed the part of the body that was passed on already */
  #stream(answer: Answer, passed?: Buffer): void {
    const copy = answer.statusCode === 200 ? this.forwarded.copyOf(answer) : undefined
    if (copy !== undefined) {
      if (passed !== undefined) copy.add(passed)
      answer.on('data', (part: Buffer) => copy.add(part)).once('end', () => copy.end())
    }
    streamAnswer(answer, this.forwarded, passed?.length ?? 0, {
      passed: bytes => this.events.bytesPassed(bytes),
      end: last => this.#end(last),
      sent: () => this.#delivered(),
      closed: () => {
        if (this.#over) return
        this.#over = true
        this.events.answerBroken()
      },
    })
  }

  /** A client that waits for "100 Continue" sends nothing, so what it sends need not be read before its connection ends. */
  #end(last?: Buffer | string, encoding?: BufferEncoding): void {
    const { request, response } = this.forwarded
    if (this.isLast && request.readableLength === 0) response.end(last, encoding ?? 'utf8')
    else endAnswer(response, last, encoding)
  }

  /** Does not wait for the events that follow: the response may close before them, which would look like an abort. */
  #delivered(): void {
    if (this.#over) return
    this.#over = true
    this.events.answerDelivered()
  }

  #failed(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.events.answerFailed(error)
  }
}

/** Answers up to this size are sent together with their headers, complete or not at all. */
const JOINED_BYTES = 2_048

const UPGRADE: ReadonlySet<string> = new Set(['upgrade'])

/** Headers of the connection that are passed on: what 426 asks for, and the names of trailers that will follow. */
function keptOf(answer: AnswerHead, request: IncomingMessage): ReadonlySet<string> | undefined {
  return answer.statusCode === 426 ? UPGRADE : keptForTrailers(answer, request)
}
