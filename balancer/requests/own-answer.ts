import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerProblem, type BalancerErrorCode } from '../errors.js'
import type { MaintenanceAnswer } from './maintenance-answer.js'

interface Unserved {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  readonly continueWanted: boolean
}

/** Answers a request that gets no answer of a target. @param maintenance undefined unless the service is being maintained */
export function giveOwnAnswer(
  { request, response, requestId, continueWanted }: Unserved,
  code: BalancerErrorCode,
  maintenance: MaintenanceAnswer | undefined,
): void {
  // A client that still waits for "100 Continue" may or may not send the body now, and the rest of a slow body could take
  // for ever. In both cases the connection has to close.
  const isSlow = code === 'REQUEST_TIMEOUT' || (code === 'OVERLOADED' && !request.complete)
  if (continueWanted || isSlow) response.shouldKeepAlive = false
  if (code === 'MAINTENANCE' && maintenance !== undefined) maintenance.give(request, response, requestId)
  else answerProblem(response, code, requestId)
  // The rest of the body is read and dropped: closing over unread bytes would cut the answer off.
  request.resume()
}
