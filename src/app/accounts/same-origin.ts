import type { RequestHandler } from 'express'
import { isSameOrigin } from '../../services/origin.js'
import { HttpError } from '../errors.js'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Refuses requests with a cookie that change something and come from a page of another origin. Browsers send the origin
 * of such requests by themselves. Other clients send neither header, and send a cookie only on purpose.
 */
export const requireSameOrigin: RequestHandler = function requireSameOrigin(request, _response, next) {
  if (request.headers.cookie === undefined || SAFE_METHODS.has(request.method)) return next()
  const fetchSite = request.get('sec-fetch-site')
  if (fetchSite === 'cross-site' || fetchSite === 'same-site') throw new HttpError('CROSS_ORIGIN')
  if (!isSameOrigin(request)) throw new HttpError('CROSS_ORIGIN')
  next()
}
