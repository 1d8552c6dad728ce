import type { IncomingMessage, ServerResponse } from 'node:http'
import { AddressRanges } from '../contract/address-ranges.js'
import type { ClientIdentity } from '../contract/client-envelope.js'
import type { MaintenanceOrder } from '../contract/edge-order.js'
import { answerProblem, endAnswer, type OwnHeaders } from '../errors.js'

/** A client that takes no HTML is a program. */
const TAKES_HTML = /text\/html|text\/\*|\*\/\*|application\/xhtml\+xml/i

/** The answer to all clients while the service is being maintained, except those that may try it. */
export class MaintenanceAnswer {
  readonly retryAfterS: number
  readonly #page: Buffer
  readonly #allowed: AddressRanges

  /** Throws a `RangeError` for a text that is neither an address nor a range. */
  constructor(
    { page, retryAfterS, allowed }: MaintenanceOrder,
    private readonly own: OwnHeaders,
  ) {
    this.retryAfterS = retryAfterS
    this.#page = Buffer.from(page)
    this.#allowed = new AddressRanges(allowed)
  }

  isFor({ address }: ClientIdentity): boolean {
    return !this.#allowed.includes(address)
  }

  /** Answers with the page, or with a problem document where that is of more use. */
  give({ headers: { accept } }: IncomingMessage, response: ServerResponse, requestId: string): void {
    if (accept !== undefined && !TAKES_HTML.test(accept)) {
      return answerProblem(response, 'MAINTENANCE', requestId, this.own, this.retryAfterS)
    }
    if (response.headersSent || response.destroyed) return
    response.writeHead(503, {
      'content-type': 'text/html; charset=utf-8',
      'content-length': this.#page.length,
      ...this.own,
      // The page is a person's, and may load or run what it likes.
      'content-security-policy': "frame-ancestors 'none'",
      'retry-after': String(this.retryAfterS),
      'x-request-id': requestId,
    })
    endAnswer(response, this.#page)
  }
}
