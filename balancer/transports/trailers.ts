import type { IncomingMessage } from 'node:http'
import type { ClientIdentity } from '../contract/client-envelope.js'
import type { AnswerHead } from './answer.js'
import { headersDistinctOf, withoutNames } from '../contract/raw-headers.js'
import { isDropped, isEndToEnd, responseHeaders } from './forwarded-headers.js'
import type { ForwardedRequest } from './transport.js'

/** Trailers of a request without what a client may not say. */
export function forwardedTrailers(rawTrailers: string[], client: ClientIdentity): Array<[string, string]> {
  return pairsOf(rawTrailers).filter(([name]) => {
    const lower = name.toLowerCase()
    return !isDropped(lower, client) && !isEndToEnd(lower)
  })
}

/** Does the same for a local app, which is given the request itself. Some readers treat trailers as headers. */
export function rewriteTrailers(
  request: Pick<IncomingMessage, 'trailers' | 'rawTrailers' | 'trailersDistinct'>,
  client: ClientIdentity,
): void {
  const unwanted = Object.keys(request.trailers).filter(name => isDropped(name, client))
  if (unwanted.length === 0) return
  for (const name of unwanted) Reflect.deleteProperty(request.trailers, name)
  request.rawTrailers = withoutNames(request.rawTrailers, new Set(unwanted))
  request.trailersDistinct = headersDistinctOf(request.rawTrailers)
}

/** Passes the trailers of an answer on, once its body has been. */
export function passTrailers(answer: AnswerHead, { request, response }: ForwardedRequest): void {
  if (!mayFollow(answer, request)) return
  response.addTrailers(pairsOf(responseHeaders(answer.rawTrailers, undefined, undefined)))
}

/** The header that names the trailers is passed on with them, although it is one of the connection. */
export function keptForTrailers(answer: AnswerHead, request: IncomingMessage): ReadonlySet<string> | undefined {
  return answer.headers.trailer !== undefined && mayFollow(answer, request) ? TRAILER : undefined
}

function mayFollow(answer: AnswerHead, { httpVersionMinor, method }: IncomingMessage): boolean {
  return httpVersionMinor === 1 && method !== 'HEAD' && answer.headers['transfer-encoding'] !== undefined
}

const TRAILER: ReadonlySet<string> = new Set(['trailer'])

/** @param raw names and values in turn */
function pairsOf(raw: string[]): Array<[string, string]> {
  const pairs: Array<[string, string]> = []
  for (let i = 0; i < raw.length; i += 2) pairs.push([raw[i] as string, raw[i + 1] as string])
  return pairs
}
