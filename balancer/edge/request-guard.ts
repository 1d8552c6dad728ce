import type { IncomingMessage } from 'node:http'
import type { BalancerErrorCode } from '../errors.js'
import { hasBody } from '../requests/request-body.js'

const REFUSED_METHODS = new Set(['TRACE', 'TRACK', 'CONNECT'])
const VALID_HOST = /^[\w.~!$&'()*+,;=%:[\]-]+$/

/**
 * Refuses requests that Node accepts but that two parsers could read differently.
 * @returns the reason, or undefined for a request that may pass
 */
export function refusalOf(request: IncomingMessage, maxHeaders: number): BalancerErrorCode | undefined {
  const { rawHeaders } = request
  if (rawHeaders.length > maxHeaders * 2) return 'HEADERS_TOO_LARGE'
  if (REFUSED_METHODS.has(request.method ?? '')) return 'METHOD_REFUSED'
  if (request.url?.charCodeAt(0) !== SLASH && !isServedTarget(request)) return 'BAD_REQUEST_TARGET'
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
  // RFC 9112, section 6.1: HTTP/1.0 has no Transfer-Encoding, so a proxy in front may have ignored it.
  if (codings > 1 || (codings === 1 && request.httpVersionMinor === 0)) return 'BAD_FRAMING'
  return undefined
}

const SLASH = 0x2f

/** `OPTIONS *`, or an absolute target that names the same host as Host does (RFC 9112, section 3.2). */
function isServedTarget({ method, url = '', headers: { host } }: IncomingMessage): boolean {
  if (url === '*') return method === 'OPTIONS'
  const authority = ABSOLUTE.exec(url)?.[1]
  if (authority === undefined || !URL.canParse(url)) return false
  return host === undefined || host.toLowerCase() === authority.toLowerCase()
}

const ABSOLUTE = /^https?:\/\/([^/?#@]+)(?:[/?]|$)/i

/** Refuses an upgrade that is not a GET without a body. The body would be read as frames of the new protocol. */
export function upgradeRefusalOf(request: IncomingMessage): BalancerErrorCode | undefined {
  return request.method === 'GET' && !hasBody(request) ? undefined : 'BAD_UPGRADE'
}

/**
 * The code for an error of Node's HTTP parser. Undefined for an error of the connection: it has closed, or in mesh mode
 * the app has destroyed it with an error of its own.
 */
export function codeOfParserError(code: unknown): BalancerErrorCode | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return 'HEADERS_TOO_LARGE'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'REQUEST_TIMEOUT'
  return typeof code === 'string' && code.startsWith(OF_PARSER) ? 'BAD_REQUEST' : undefined
}

const OF_PARSER = 'HPE_'
