import type { RedisStore } from 'connect-redis'
import express, { type Express, type RequestHandler } from 'express'
import helmet, { type HelmetOptions } from 'helmet'
import type { Redis } from 'ioredis'
import type { Logger } from '../process/log.js'
import { Accounts } from './accounts/accounts.js'
import { LoginBackoff } from './accounts/login-backoff.js'
import type { Cache } from '../services/cache.js'
import type { ObjectStorage } from '../services/object-storage.js'
import type { PasswordHasher } from './accounts/password-hasher.js'
import { Products } from './products/products.js'
import { createRateLimit } from '../services/rate-limit.js'
import { Uploads } from './uploads/uploads.js'
import { accountRoutes } from './accounts/account-routes.js'
import { answerErrors, answerNotFound, HttpError } from './errors.js'
import { healthRoutes } from './health-routes.js'
import { openapiRoutes } from './api/openapi-routes.js'
import { pageRoutes } from './page-routes.js'
import { productRoutes } from './products/product-routes.js'
import { requireSignIn } from './accounts/require-sign-in.js'
import { requireSameOrigin } from './accounts/same-origin.js'
import { SignIn } from './accounts/sign-in.js'
import { uploadRoutes } from './uploads/upload-routes.js'

/** The services that the built-in app uses. */
export interface AppServices {
  redis: Redis
  cache: Cache
  storage: ObjectStorage
  sessions: RequestHandler
  sessionStore: RedisStore
  hasher: PasswordHasher
  log: Logger
  loopDelayMs: () => number
}

export interface AppSettings {
  rateLimitMax: number
  rateLimitWindowMs: number
  production: boolean
  uploadMaxBytes: number
  /** Sent to clients in `X-Outpost-Worker`; undefined: not sent. */
  workerName: string | undefined
}

/** Registration and sign-in are attacked most, so each has a fifth of the general limit. */
const STRICT_SHARE = 5
const MAX_JSON_BYTES = 64 * 1024

/** The built-in app: accounts, products, uploads and a chat, ready for any number of workers and machines. */
export function createApp(services: AppServices, settings: AppSettings): Express {
  const { redis, cache, storage, sessions, sessionStore, hasher, log } = services
  const accounts = new Accounts(redis, hasher)
  const signIn = new SignIn(accounts, sessionStore)
  const signedIn = requireSignIn(signIn, sessions)
  const limits = {
    general: limit(services, settings, 'all', 1),
    register: limit(services, settings, 'register', STRICT_SHARE),
    login: limit(services, settings, 'login', STRICT_SHARE),
  }

  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')

  app.use(exposeWorker(settings.workerName))
  app.use(healthRoutes(services))
  app.use(helmet(securityHeaders(settings.production)))
  app.use(pageRoutes())
  app.use(limits.general)
  app.use(openapiRoutes())
  app.use(requireSameOrigin)
  app.use(express.json({ limit: MAX_JSON_BYTES }))
  app.use(
    accountRoutes({
      accounts,
      signIn,
      sessions,
      registerLimit: limits.register,
      loginLimit: limits.login,
      backoff: settings.rateLimitMax === 0 ? undefined : new LoginBackoff(redis),
    }),
  )
  app.use(productRoutes({ products: new Products(storage, cache), signedIn }))
  app.use(uploadRoutes({ uploads: new Uploads(storage), signedIn, maxBytes: settings.uploadMaxBytes }))
  app.use(answerNotFound)
  app.use(answerErrors(log))
  return app
}

/** Outside of production the app is served over plain http, so it must not make browsers use https. */
function securityHeaders(production: boolean): HelmetOptions {
  return {
    strictTransportSecurity: production,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        // In some browsers 'self' does not include WebSockets.
        connectSrc: ["'self'", 'ws:', 'wss:'],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        ...(production ? { upgradeInsecureRequests: [] } : {}),
      },
    },
  }
}

function exposeWorker(name: string | undefined): RequestHandler {
  return function exposeWorkerName(_request, response, next) {
    if (name !== undefined) response.set('X-Outpost-Worker', name)
    next()
  }
}

function limit({ redis }: AppServices, settings: AppSettings, rule: string, share: number): RequestHandler {
  return createRateLimit(redis, {
    rule,
    max: Math.ceil(settings.rateLimitMax / share),
    windowMs: settings.rateLimitWindowMs,
    onLimit: (_request, response) => {
      const retryAfterSeconds = Number(response.get('Retry-After') ?? Math.ceil(settings.rateLimitWindowMs / 1_000))
      throw new HttpError('RATE_LIMITED', { retryAfterSeconds })
    },
  })
}
