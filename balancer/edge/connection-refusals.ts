import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { answerProblemOnSocket, type BalancerErrorCode } from '../errors.js'
import { codeOfParserError } from './request-guard.js'

/** Answers what Node's parser cannot read, after the answers to earlier requests. */
export class ConnectionRefusals {
  /** Connections that were refused already. The parser may report another error on them. */
  readonly #refused = new WeakSet<Duplex>()

  /** Records that this connection was refused elsewhere. */
  note(socket: Duplex): void {
    this.#refused.add(socket)
  }

  /** @param error from the parser or from the connection */
  refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const code = codeOfParserError(error.code)
    if (code === undefined || leftBeforeAnswer(error, socket)) socket.destroy()
    else if (!this.#refused.has(socket)) {
      this.note(socket)
      refuseInTurn(code, socket)
    }
  }
}

function refuseInTurn(code: BalancerErrorCode, socket: Duplex): void {
  const current = responseInProgress(socket)
  if (current === undefined) answerProblemOnSocket(socket, code, randomUUID())
  // The error is in a later request. This one is valid and is answered first.
  else if (current.req.complete) current.once('close', () => refuseInTurn(code, socket))
  // The client would take a second answer for a part of the first.
  else if (current.headersSent) socket.destroy()
  else answerProblemOnSocket(socket, code, randomUUID())
}

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
