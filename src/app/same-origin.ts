import type { RequestHandler } from 'express'
import { HttpError } from './errors.js'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Refuses requests that change something, come with a cookie and from a page of another origin. Browsers tell the
 * origin of such requests by themselves; clients that are no browsers send neither header, and no cookie by accident.
 */
export const requireSameOrigin: RequestHandler = function requireSameOrigin(request, _response, next) {
  const { origin, host, cookie } = request.headers
  if (cookie === undefined || SAFE_METHODS.has(request.method)) return next()
  const fetchSite = request.get('sec-fetch-site')
  if (fetchSite === 'cross-site' || fetchSite === 'same-site') throw new HttpError('CROSS_ORIGIN')
  if (origin !== undefined && hostOf(origin) !== host) throw new HttpError('CROSS_ORIGIN')
  next()
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host
  } catch {
    return undefined // "null", the origin of sandboxed pages
  }
}
