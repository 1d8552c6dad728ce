import type { IncomingMessage } from 'node:http'
import type { ClientAccount } from '../ledger/client-account.js'
import type { BalancerOptions } from '../options.js'
import type { RequestBody } from '../transports/transport.js'
import { announcedBytes, bodyByHeaders, holdBody, mayBeWhole, takeWholeBody } from './request-body.js'
import { maySendAgain } from './retry.js'

interface BodyTaker {
  /** The body is being read, which may take long. */
  bodyAwaited(): void
  /** The body is held, or it will be streamed. Not called if the client leaves before. */
  bodyTaken(): void
}

/** The body of one request: held in memory, so that it can be sent again, or streamed. */
export class BodyIntake {
  #body: RequestBody = NO_BODY
  #heldBytes = 0

  constructor(
    private readonly request: IncomingMessage,
    private readonly account: ClientAccount,
  ) {}

  get body(): RequestBody {
    return this.#body
  }

  /** Whether the request may be sent a second time. */
  get isRepeatable(): boolean {
    return this.#body.kind !== 'stream' && maySendAgain(this.request)
  }

  begin({ heldBodyBytes, shortBodyBytes }: BalancerOptions, taker: BodyTaker): void {
    const { request } = this
    const body = bodyByHeaders(request, heldBodyBytes)
    const mayHold = body === undefined || (body.kind === 'stream' && mayBeWhole(request, shortBodyBytes))
    if (!mayHold) this.#take(body, taker)
    // Without memory for it, it cannot be sent again.
    else if (!this.#takeMemory(announcedBytes(request, heldBodyBytes))) this.#take({ kind: 'stream' }, taker)
    else if (body === undefined) {
      taker.bodyAwaited()
      holdBody(request, heldBodyBytes, read => this.#take(read, taker))
    } else takeWholeBody(request, read => this.#take(read, taker))
  }

  /** The request will not be sent again. */
  drop(): void {
    this.freeMemory()
    if (this.#body.kind === 'held') this.#body = NO_BODY
  }

  freeMemory(): void {
    if (this.#heldBytes === 0) return
    this.account.heldBytes.release(this.#heldBytes)
    this.#heldBytes = 0
  }

  #take(body: RequestBody, taker: BodyTaker): void {
    if (body.kind === 'stream') this.freeMemory()
    this.#body = body
    taker.bodyTaken()
  }

  #takeMemory(bytes: number): boolean {
    if (!this.account.heldBytes.take(bytes)) return false
    this.#heldBytes = bytes
    return true
  }
}

const NO_BODY: RequestBody = { kind: 'none' }
