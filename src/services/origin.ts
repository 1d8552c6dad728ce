import type { IncomingMessage } from 'node:http'

/** The part of a request that tells its own origin. */
export type Addressed = Pick<IncomingMessage, 'headers'> & { socket: object }

/**
 * Whether a request is from a page of the same origin (scheme, host and port), or from no page at all. Browsers send the
 * origin by themselves wherever it matters; other clients send no such header.
 */
export function isSameOrigin(request: Addressed): boolean {
  const { origin } = request.headers
  return origin === undefined || (URL.canParse(origin) && new URL(origin).origin === originOf(request)?.origin)
}

/**
 * The URL under which the client sees this service; undefined when it named no valid host. The host is the one that the
 * client asked for: the edge has written it to X-Forwarded-Host, and a trusted proxy may have put another one into Host.
 */
export function originOf({ headers, socket }: Addressed): URL | undefined {
  const host = headers['x-forwarded-host'] ?? headers.host
  if (typeof host !== 'string' || !HOST.test(host)) return undefined
  const scheme = 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http'
  const url = `${scheme}://${host}`
  return URL.canParse(url) ? new URL(url) : undefined
}

/** A name or address, and a port. Nothing else may get into a header that is made of it. */
const HOST = /^[\w.~-]+(:\d{1,5})?$|^\[[\da-f:.]+\](:\d{1,5})?$/i
