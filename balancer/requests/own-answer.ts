import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerProblem, type BalancerErrorCode } from '../errors.js'
import type { BalancerOptions } from '../options.js'
import type { MaintenanceAnswer } from './maintenance-answer.js'

interface Unserved {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  readonly continueWanted: boolean
}

/** Such an answer depends on these. */
interface Circumstances {
  /** Undefined unless the service is being maintained. */
  readonly maintenance: MaintenanceAnswer | undefined
  readonly options: Pick<BalancerOptions, 'ownHeaders'>
}

/** Answers a request that gets no answer of a target. */
export function giveOwnAnswer(
  { request, response, requestId, continueWanted }: Unserved,
  code: BalancerErrorCode,
  { maintenance, options }: Circumstances,
): void {
  // A client that still waits for "100 Continue" may or may not send the body now, and the rest of a slow body could take
  // for ever. In both cases the connection has to close.
  const isSlow = code === 'REQUEST_TIMEOUT' || (code === 'OVERLOADED' && !request.complete)
  if (continueWanted || isSlow) response.shouldKeepAlive = false
  if (code === 'MAINTENANCE' && maintenance !== undefined) maintenance.give(request, response, requestId)
  else answerProblem(response, code, requestId, options.ownHeaders)
  // The rest of the body is read and dropped: closing over unread bytes would cut the answer off.
  request.resume()
}
