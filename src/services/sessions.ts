import { RedisStore } from 'connect-redis'
import type { RequestHandler } from 'express'
import session, { type CookieOptions, type SessionOptions } from 'express-session'
import type { Redis } from 'ioredis'
import { keys } from './keys.js'

export const SESSION_TTL_SECONDS = 24 * 60 * 60

export interface SessionSettings {
  secret: string
  /** Cookies over https only. */
  production: boolean
}

export interface SessionStoreOptions {
  /** Each request makes its session last anew; costs a round trip each. Without it a session has its fixed time. */
  extend: boolean
}

/** The store behind sessions, also used to end a session that is not the current request's. */
export function createSessionStore(redis: Redis, { extend }: SessionStoreOptions): RedisStore {
  // While it extends a session, express-session holds back the last byte of an answer whose first are out already:
  // a worker that dies then would break an answer that could have been given by another.
  return new RedisStore({ client: redis, prefix: keys.sessionPrefix, ttl: SESSION_TTL_SECONDS, disableTouch: !extend })
}

/**
 * express-session on Redis, so that every worker knows every session. An id that a client made up is not taken over
 * (the library gives it a fresh one), and nothing is stored for visitors who have no session.
 */
export function createSessions(
  store: RedisStore,
  settings: SessionSettings,
  options: Partial<SessionOptions> = {},
): RequestHandler {
  const { cookie } = options
  const defaults: CookieOptions = {
    httpOnly: true,
    sameSite: 'lax',
    secure: settings.production,
    maxAge: SESSION_TTL_SECONDS * 1_000,
  }
  return session({
    name: 'outpost.sid',
    secret: settings.secret,
    store,
    resave: false,
    saveUninitialized: false,
    ...options,
    cookie:
      typeof cookie === 'function' ? request => ({ ...defaults, ...cookie(request) }) : { ...defaults, ...cookie },
  })
}
