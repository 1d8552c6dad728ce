import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether a request is from a page of the same host, or from no page at all. Browsers send the origin by themselves
 * wherever it matters; other clients send no such header. The host is the one that the client asked for:
 * the edge has written it to X-Forwarded-Host, and a trusted proxy may have put another one into Host.
 */
export function isSameOrigin(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers
  return origin === undefined || hostOf(origin) === (headers['x-forwarded-host'] ?? host)
}

function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host
  } catch {
    return null // "null", the origin of sandboxed pages
  }
}
