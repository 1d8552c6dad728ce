import { STATUS_CODES, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Every answer of the balancer itself: a stable code, its HTTP status and the sentence that a client reads.
 * docs/errors.md lists the same rows; a test compares the two.
 */
export const balancerErrors = {
  BAD_REQUEST: { status: 400, detail: 'The request is not well-formed HTTP/1.1.' },
  BAD_REQUEST_TARGET: {
    status: 400,
    detail: 'The request target must be a path, or a URL of the host that Host names.',
  },
  BAD_HOST: { status: 400, detail: 'Exactly one valid Host header is required.' },
  BAD_FRAMING: { status: 400, detail: 'The length of the request body is ambiguous.' },
  BAD_UPGRADE: { status: 400, detail: 'An upgrade request must be a GET without a body.' },
  METHOD_REFUSED: { status: 405, detail: 'This method is not served here.' },
  REQUEST_TIMEOUT: { status: 408, detail: 'The request did not arrive in time.' },
  EXPECTATION_FAILED: { status: 417, detail: 'The only expectation understood is 100-continue.' },
  TOO_MANY_UPGRADES: { status: 429, detail: 'This client has reached its limit of upgraded connections.' },
  HEADERS_TOO_LARGE: { status: 431, detail: 'The request line or the headers are too large, or too many.' },
  UPSTREAM_BROKEN: { status: 502, detail: 'The application broke the connection before it answered.' },
  NO_TARGET_READY: { status: 503, detail: 'No worker is ready to take the request.' },
  WAITING_ROOM_FULL: { status: 503, detail: 'Too many requests are waiting.' },
  MAINTENANCE: { status: 503, detail: 'The service is being maintained.' },
  OVERLOADED: { status: 503, detail: 'Every worker is at its limit of requests in flight.' },
  TOO_MANY_CONNECTIONS: { status: 503, detail: 'The limit of open connections is reached.' },
  UPSTREAM_TIMEOUT: { status: 504, detail: 'The application did not answer in time.' },
} as const

export type BalancerErrorCode = keyof typeof balancerErrors

const RETRY_AFTER_SECONDS = 1

export type OwnHeaders = Readonly<Record<string, string>>

/**
 * The headers of every answer of the edge itself. With them no cache keeps the answer, no browser runs anything in it, and
 * it discloses no address. The edge adds none of them to answers of the app.
 */
export const ownHeaders: OwnHeaders = Object.freeze({
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
})

/** The same, and browsers have to use https for a year. Only the app may say so, since it holds for the whole host. */
export const ownHeadersForHttps: OwnHeaders = Object.freeze({
  ...ownHeaders,
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
})

/**
 * Answers with `application/problem+json` (RFC 9457). Does nothing once the headers have been sent.
 * @param own headers of every answer of the edge itself
 */
export function answerProblem(
  response: ServerResponse,
  code: BalancerErrorCode,
  requestId: string,
  own: OwnHeaders,
  retryAfterS = RETRY_AFTER_SECONDS,
): void {
  if (response.headersSent || response.destroyed) return
  const body = problemBody(code, requestId)
  response.writeHead(balancerErrors[code].status, problemHeaders(code, requestId, body, own, retryAfterS))
  endAnswer(response, body)
}

/**
 * Ends an answer with its last piece, which is sent at once. If the connection ends with it while the client still sends its
 * request, what comes is read and dropped for a moment first: see LINGER_MS.
 */
export function endAnswer(response: ServerResponse, last?: Buffer | string, encoding: BufferEncoding = 'utf8'): void {
  if (response.shouldKeepAlive || response.req.complete) {
    response.end(last, encoding)
    return
  }
  if (last === undefined) response.flushHeaders()
  else response.write(last, encoding)
  const linger = setTimeout(() => response.end(), LINGER_MS)
  response.once('close', () => clearTimeout(linger))
  response.req.once('end', () => response.end()).resume()
}

/** The same answer as text, the last on its connection. */
export function problemMessage(
  code: BalancerErrorCode,
  requestId: string,
  own: OwnHeaders,
  retryAfterS = RETRY_AFTER_SECONDS,
): string {
  const { status } = balancerErrors[code]
  const body = problemBody(code, requestId)
  const headers = {
    ...problemHeaders(code, requestId, body, own, retryAfterS),
    connection: 'close',
    date: new Date().toUTCString(),
  }
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head.join('')}\r\n${body}`
}

/** Gives the same answer on a bare socket, for requests without a `ServerResponse`. Ends the connection. */
export function answerProblemOnSocket(
  socket: Duplex,
  code: BalancerErrorCode,
  requestId: string,
  own: OwnHeaders,
  retryAfterS = RETRY_AFTER_SECONDS,
): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  socket.end(problemMessage(code, requestId, own, retryAfterS))
  socket.resume()
  const linger = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(linger))
}

/** Closing over unread bytes would reset the connection and lose the answer (RFC 9112, section 9.6). */
const LINGER_MS = 500

function problemBody(code: BalancerErrorCode, requestId: string): string {
  const { status, detail } = balancerErrors[code]
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, code, detail, requestId }) + '\n'
}

function problemHeaders(
  code: BalancerErrorCode,
  requestId: string,
  body: string,
  own: OwnHeaders,
  retryAfterS: number,
): OutgoingHttpHeaders {
  return {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
    ...own,
    ...(balancerErrors[code].status === 503 ? { 'retry-after': String(retryAfterS) } : {}),
    ...(code === 'METHOD_REFUSED' ? { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' } : {}),
  }
}
