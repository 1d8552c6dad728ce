import type { RedisStore } from 'connect-redis'
import express, { type Express, type RequestHandler } from 'express'
import type { Redis } from 'ioredis'
import type { Logger } from '../process/log.js'
import type { SecurityEvents } from '../process/security-events.js'
import { AttemptLimit } from '../services/attempt-limit.js'
import type { Cache } from '../services/cache.js'
import type { ObjectStorage } from '../services/object-storage.js'
import { createRateLimit } from '../services/rate-limit.js'
import { ownCookieName } from '../services/sessions.js'
import { accountRoutes } from './accounts/account-routes.js'
import { Accounts } from './accounts/accounts.js'
import { GuessLimit } from './accounts/guess-limit.js'
import { LoginBackoff } from './accounts/login-backoff.js'
import { PasswordCheck } from './accounts/password-check.js'
import type { PasswordHasher } from './accounts/password-hasher.js'
import { requireSignIn } from './accounts/require-sign-in.js'
import { requireSameOrigin } from './accounts/same-origin.js'
import { sessionRoutes } from './accounts/session-routes.js'
import { SignIn } from './accounts/sign-in.js'
import { SignIns } from './accounts/sign-ins.js'
import { openapiRoutes } from './api/app-openapi.js'
import { answerErrors, answerNotFound, HttpError } from './errors.js'
import { healthRoutes } from './health-routes.js'
import { pageRoutes } from './page-routes.js'
import { ProductOwners } from './products/product-owners.js'
import { productRoutes } from './products/product-routes.js'
import { Products } from './products/products.js'
import { securityHeaders } from './security-headers.js'
import { UploadQuota } from './uploads/upload-quota.js'
import { uploadRoutes } from './uploads/upload-routes.js'
import { Uploads } from './uploads/uploads.js'

/** The services that the built-in app uses. */
export interface BuiltInAppParts {
  redis: Redis
  cache: Cache
  storage: ObjectStorage
  sessions: RequestHandler
  sessionStore: RedisStore
  hasher: PasswordHasher
  log: Logger
  events: SecurityEvents
  loopDelayMs: () => number
}

export interface AppSettings {
  rateLimitMax: number
  rateLimitWindowMs: number
  production: boolean
  uploadMaxBytes: number
  uploadQuotaBytes: number
  /** Sent to clients in `X-Outpost-Worker`; undefined: not sent. */
  workerName: string | undefined
}

/** Registration and sign-in are attacked most, so each has a fifth of the general limit. */
const STRICT_SHARE = 5
const MAX_JSON_BYTES = 64 * 1024

/** The built-in app: accounts, products, uploads and a chat, ready for any number of workers and machines. */
export function createApp(services: BuiltInAppParts, settings: AppSettings): Express {
  const { redis, cache, storage, sessions, sessionStore, hasher, log, events } = services
  const { production, uploadMaxBytes: maxBytes } = settings
  const accounts = new Accounts(redis, hasher)
  const signIns = new SignIns(redis, sessionStore)
  const signIn = new SignIn(accounts, signIns)
  const signedIn = requireSignIn(signIn, sessions)
  const limits = {
    general: limit(services, settings, 'all', 1),
    register: limit(services, settings, 'register', STRICT_SHARE),
    login: limit(services, settings, 'login', STRICT_SHARE),
  }
  const ofAccounts = accountLimits(redis, settings)
  const passwords = new PasswordCheck(accounts, ofAccounts)
  const cookie = { name: ownCookieName(production), secure: production }
  const uploads = new Uploads(storage, new UploadQuota(redis, settings.uploadQuotaBytes))
  const products = new Products(storage, cache, new ProductOwners(redis, storage))
  const registering = { registerLimit: limits.register, nameLimit: ofAccounts?.names }
  const signingIn = { accounts, passwords, signIn, loginLimit: limits.login }

  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')

  app.use(exposeWorker(settings.workerName))
  app.use(securityHeaders(production))
  app.use(healthRoutes(services))
  app.use(pageRoutes())
  app.use(limits.general)
  app.use(openapiRoutes())
  app.use(requireSameOrigin)
  app.use(express.json({ limit: MAX_JSON_BYTES }))
  app.use(accountRoutes({ ...signingIn, ...registering, sessions, cookie, events }))
  app.use(sessionRoutes({ ...signingIn, signIns, signedIn, events }))
  app.use(productRoutes({ products, signedIn }))
  app.use(uploadRoutes({ uploads, signedIn, maxBytes }))
  app.use(answerNotFound)
  app.use(answerErrors(log, events))
  return app
}

function exposeWorker(name: string | undefined): RequestHandler {
  return function exposeWorkerName(_request, response, next) {
    if (name !== undefined) response.set('X-Outpost-Worker', name)
    next()
  }
}

function limit({ redis }: BuiltInAppParts, settings: AppSettings, rule: string, share: number): RequestHandler {
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

/** Limits that hold for one account, whatever address its requests come from; undefined when limits are off. */
function accountLimits(
  redis: Redis,
  { rateLimitMax, rateLimitWindowMs: windowMs }: AppSettings,
): { backoff: LoginBackoff; guesses: GuessLimit; names: AttemptLimit } | undefined {
  if (rateLimitMax === 0) return undefined
  const max = Math.ceil(rateLimitMax / STRICT_SHARE)
  return {
    backoff: new LoginBackoff(redis),
    guesses: new GuessLimit(redis, { max, windowMs }),
    names: new AttemptLimit(redis, { rule: 'register-name', max, windowMs }),
  }
}
