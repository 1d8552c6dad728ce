import type { IncomingMessage } from 'node:http'
import type { BalancerErrorCode } from '../errors.js'

const REFUSED_METHODS = new Set(['TRACE', 'TRACK', 'CONNECT'])
const VALID_HOST = /^[\w.~!$&'()*+,;=%:[\]-]+$/

/**
 * What the edge refuses although Node's parser lets it through: anything that two readers of the same bytes could
 * take for different requests. Returns the reason, or undefined for a request that may go on.
 */
export function refusalOf(request: IncomingMessage, maxHeaders: number): BalancerErrorCode | undefined {
  const { rawHeaders } = request
  if (rawHeaders.length > maxHeaders * 2) return 'HEADERS_TOO_LARGE'
  if (REFUSED_METHODS.has(request.method ?? '')) return 'METHOD_REFUSED'
  if (request.url?.charCodeAt(0) !== SLASH) return 'BAD_REQUEST_TARGET'
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor > 1) return 'BAD_REQUEST'

  let hosts = 0
  let codings = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    // Only two lengths matter here, and comparing lengths is cheaper than lower-casing every name.
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts += 1
      if (!VALID_HOST.test(rawHeaders[i + 1] as string)) return 'BAD_HOST'
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      codings += 1
      if ((rawHeaders[i + 1] as string).toLowerCase() !== 'chunked') return 'BAD_FRAMING'
    }
  }
  if (hosts > 1 || (hosts === 0 && request.httpVersionMinor === 1)) return 'BAD_HOST'
  // RFC 9112, section 6.1: a 1.0 client cannot have meant Transfer-Encoding, and something in between may ignore it.
  if (codings > 1 || (codings === 1 && request.httpVersionMinor === 0)) return 'BAD_FRAMING'
  return undefined
}

const SLASH = 0x2f

/** What an upgrade must be on top of that. Its body, if it had one, would be read as frames of the new protocol. */
export function upgradeRefusalOf(request: IncomingMessage): BalancerErrorCode | undefined {
  return request.method === 'GET' && !hasBody(request) ? undefined : 'BAD_UPGRADE'
}

/** True when the headers announce a body (RFC 9112, section 6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const { headers } = request
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && length !== '0'
}

/** The code for an error of Node's HTTP parser; undefined when the connection is simply gone. */
export function codeOfParserError(code: string | undefined): BalancerErrorCode | undefined {
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined
    case 'HPE_HEADER_OVERFLOW':
      return 'HEADERS_TOO_LARGE'
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'REQUEST_TIMEOUT'
    default:
      return 'BAD_REQUEST'
  }
}
