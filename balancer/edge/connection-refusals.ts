import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { answerProblemOnSocket, type BalancerErrorCode, type OwnHeaders } from '../errors.js'
import { plainAddress } from './plain-address.js'
import { codeOfParserError } from './request-guard.js'

/** Answers requests that Node's parser cannot read, after the answers to earlier requests. */
export class ConnectionRefusals {
  /** Connections that were refused already. The parser may report another error on them. */
  readonly #refused = new WeakSet<Duplex>()

  /** @param onRefused called for a request that two parsers could read differently, with the address of its sender */
  constructor(
    private readonly ownHeaders: OwnHeaders,
    private readonly onRefused: (code: BalancerErrorCode, client: string) => void,
  ) {}

  /** Records that this connection is refused. */
  note(code: BalancerErrorCode, socket: Duplex & { remoteAddress?: string | undefined }): void {
    this.#refused.add(socket)
    if (AMBIGUOUS.has(code)) this.onRefused(code, plainAddress(socket.remoteAddress ?? 'unknown'))
  }

  /** @param error from the parser or from the connection */
  refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const code = codeOfParserError(error.code)
    if (code === undefined || leftBeforeAnswer(error, socket)) socket.destroy()
    else if (!this.#refused.has(socket)) {
      this.note(code, socket)
      this.#refuseInTurn(code, socket)
    }
  }

  #refuseInTurn(code: BalancerErrorCode, socket: Duplex): void {
    const current = responseInProgress(socket)
    // The error is in a later request. This one is valid and is answered first.
    if (current?.req.complete === true) current.once('close', () => this.#refuseInTurn(code, socket))
    // The client would take a second answer for a part of the first.
    else if (current?.headersSent === true) socket.destroy()
    else answerProblemOnSocket(socket, code, randomUUID(), this.ownHeaders)
  }
}

/** Ambiguous requests, but not those that are too large, too late or of a method that is not served. */
const AMBIGUOUS: ReadonlySet<BalancerErrorCode> = new Set([
  'BAD_REQUEST',
  'BAD_REQUEST_TARGET',
  'BAD_HOST',
  'BAD_FRAMING',
  'BAD_UPGRADE',
])

/** The client has ended its side in the middle of a later request, so it does not wait for the current answer either. */
function leftBeforeAnswer(error: NodeJS.ErrnoException, socket: Duplex): boolean {
  return error.code === 'HPE_INVALID_EOF_STATE' && responseInProgress(socket)?.req.complete === true
}

/** Node keeps the response in progress on its connection. */
export function responseInProgress(
  socket: Duplex & { _httpMessage?: ServerResponse | null },
): ServerResponse | undefined {
  return socket._httpMessage ?? undefined
}
