import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether a request is from a page of the same host, or from no page at all. Browsers tell the origin by themselves
 * wherever it matters; clients that are no browsers send no such header.
 */
export function isSameOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  return origin === undefined || hostOf(origin) === host
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host
  } catch {
    return undefined // "null", the origin of sandboxed pages
  }
}
