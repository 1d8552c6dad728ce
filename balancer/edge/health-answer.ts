import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BalancerOptions } from '../options.js'

/**
 * Answers the health check of a load balancer in front while requests are held back on purpose: it would
 * otherwise take the machine for broken, and send clients elsewhere or nowhere.
 * @returns whether this was one
 */
export function answerHealthCheck(
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
  { edgeHealthPath: path, ownHeaders }: Pick<BalancerOptions, 'edgeHealthPath' | 'ownHeaders'>,
): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || path === undefined || url.split('?', 1)[0] !== path) return false
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 3, ...ownHeaders }).end('OK\n')
  return true
}
