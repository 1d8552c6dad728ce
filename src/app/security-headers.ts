import helmet, { type HelmetOptions } from 'helmet'
import type { RequestHandler } from 'express'
import { originOf, type Addressed } from '../services/origin.js'

/** OWASP ASVS 3.4.1 asks for a year at least, and for all subdomains. */
const HSTS = { maxAge: 365 * 24 * 3_600, includeSubDomains: true }

/**
 * Headers that tell browsers what a page of this app may do. Outside of production the app is served over plain http, so
 * it must not make browsers use https.
 */
export function securityHeaders(production: boolean): RequestHandler {
  const options: HelmetOptions = {
    strictTransportSecurity: production && HSTS,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        // In some browsers 'self' does not include WebSockets.
        connectSrc: ["'self'", request => webSocketOrigin(request)],
        formAction: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        ...(production ? { upgradeInsecureRequests: [] } : {}),
      },
    },
  }
  return helmet(options) as RequestHandler
}

/** The headers of the above for answers that the app itself does not give: those of Socket.IO. */
export function headersBesideTheApp(production: boolean): Record<string, string> {
  return {
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Content-Security-Policy': "default-src 'none';base-uri 'none';object-src 'none';frame-ancestors 'none'",
    ...(production ? { 'Strict-Transport-Security': `max-age=${HSTS.maxAge}; includeSubDomains` } : {}),
  }
}

/** The page's own, and no other. */
function webSocketOrigin(request: Addressed): string {
  const origin = originOf(request)
  return origin === undefined ? "'self'" : `${origin.protocol === 'https:' ? 'wss' : 'ws'}://${origin.host}`
}
