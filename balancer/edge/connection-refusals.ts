import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { answerProblemOnSocket, type BalancerErrorCode } from '../errors.js'
import { codeOfParserError } from './request-guard.js'

/** Answers what Node's parser cannot read, in turn with the requests that it could. */
export class ConnectionRefusals {
  /** Connections that have had their refusal: the parser may complain as well, or again. */
  readonly #refused = new WeakSet<Duplex>()

  /** This connection has had a refusal, and is closed after it. */
  note(socket: Duplex): void {
    this.#refused.add(socket)
  }

  /** @param error of the parser, or of the connection itself */
  refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const code = codeOfParserError(error.code)
    if (code === undefined || leavesInMidAnswer(error, socket)) socket.destroy()
    else if (!this.#refused.has(socket)) {
      this.note(socket)
      refuseInTurn(code, socket)
    }
  }
}

function refuseInTurn(code: BalancerErrorCode, socket: Duplex): void {
  const current = responseInProgress(socket)
  if (current === undefined) answerProblemOnSocket(socket, code, randomUUID())
  // The fault is in a later request: this one was good, and is answered first.
  else if (current.req.complete) current.once('close', () => refuseInTurn(code, socket))
  // A second answer in the middle of the first would be taken for its body.
  else if (current.headersSent) socket.destroy()
  else answerProblemOnSocket(socket, code, randomUUID())
}

/** Its end leaves a later request cut off. As anybody's whose answer is on its way, it means that nobody waits for that. */
function leavesInMidAnswer(error: NodeJS.ErrnoException, socket: Duplex): boolean {
  return error.code === 'HPE_INVALID_EOF_STATE' && responseInProgress(socket)?.req.complete === true
}

/** By Node's own mark on the connection. */
export function responseInProgress(
  socket: Duplex & { _httpMessage?: ServerResponse | null },
): ServerResponse | undefined {
  return socket._httpMessage ?? undefined
}
