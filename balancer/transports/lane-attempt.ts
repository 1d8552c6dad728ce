import { AnswerDelivery, type DeliveryEvents } from './answer-delivery.js'
import type { ParsedHead } from './answer-parser.js'
import { requestHead } from './forwarded-headers.js'
import { passInterim } from './interim-answer.js'
import { LaneAnswer } from './lane-answer.js'
import type { Carried, LaneConnection } from './lane-connection.js'
import type { Attempt, ForwardedRequest } from './transport.js'
import type { UpstreamLink } from './web-attempt.js'

/** One try of a request without a body, or with a short one, over a connection of a lane. */
export class LaneAttempt implements Attempt, Carried, DeliveryEvents {
  readonly #delivery: AnswerDelivery
  /** Until the end of the answer has come: after that it may carry another request. */
  #connection: LaneConnection | undefined
  #head: ParsedHead | undefined
  /** The part of the body that came together with the head. */
  #begin: Buffer | undefined
  /** For an answer that does not come in one piece. */
  #stream: LaneAnswer | undefined
  #settled = false
  #neverConnected = false

  constructor(
    private readonly upstream: UpstreamLink,
    private readonly forwarded: ForwardedRequest,
    connection: LaneConnection,
  ) {
    const { request, client, requestId, body } = forwarded
    this.#delivery = new AnswerDelivery(forwarded, this)
    this.#connection = connection
    forwarded.attemptBegun(this)
    const head = requestHead(request, client, requestId, upstream.options)
    const all = body.kind === 'held' ? head + body.bytes.toString('latin1') : head
    connection.carry(all, request.method === 'HEAD', this)
    forwarded.bodySent()
  }

  get isConnecting(): boolean {
    return this.#neverConnected || this.#connection?.isConnecting === true
  }

  abort(): void {
    this.#settled = true
    this.#delivery.stop()
    this.#connection?.destroy()
    this.#stream?.destroy()
  }

  interimFound(head: ParsedHead): void {
    if (!this.#settled) passInterim(head, this.forwarded)
  }

  headFound(head: ParsedHead): void {
    this.#head = head
  }

  bodyFound(piece: Buffer): void {
    if (this.#stream !== undefined) this.#stream.add(piece)
    else this.#begin = this.#begin === undefined ? piece : Buffer.concat([this.#begin, piece])
  }

  endFound(trailers: string[]): void {
    this.#connection = undefined
    if (this.#stream !== undefined) this.#stream.finish(trailers)
    else if (this.#head !== undefined) this.#head.rawTrailers = trailers
  }

  received(): void {
    const head = this.#head
    if (this.#settled || head === undefined || this.#stream !== undefined) return
    if (this.#connection === undefined) {
      this.#delivery.passWhole(head, this.#begin ?? null)
      return
    }
    this.#stream = new LaneAnswer(head, more => this.#connection?.flow(more))
    if (this.#begin !== undefined) this.#stream.add(this.#begin)
    this.#begin = undefined
    this.#delivery.pass(this.#stream)
  }

  brokeOff(error: Error): void {
    this.#connection = undefined
    if (this.#settled) return
    // Its end, without the end of the answer, is reported to the delivery.
    if (this.#stream !== undefined) this.#stream.destroy()
    else this.#fail(error)
  }

  bytesPassed(bytes: number): void {
    this.upstream.bytesPassed(bytes)
  }

  answerFailed(error: Error): void {
    this.#fail(error)
  }

  answerDelivered(): void {
    this.#settled = true
    this.forwarded.answerComplete()
  }

  answerBroken(): void {
    this.#settled = true
    this.forwarded.answerBroken()
  }

  #fail(error: Error): void {
    this.#settled = true
    this.#delivery.stop()
    this.#connection?.destroy()
    if ((error as NodeJS.ErrnoException).syscall === 'connect') {
      this.#neverConnected = true
      this.upstream.connectFailed(error)
      this.forwarded.attemptFailed(this, 'connect')
    } else void this.upstream.checkAlive().then(() => this.forwarded.attemptFailed(this, 'reset'))
  }
}
