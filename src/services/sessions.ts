import { RedisStore } from 'connect-redis'
import type { RequestHandler } from 'express'
import session, { type CookieOptions, type SessionOptions } from 'express-session'
import type { Redis } from 'ioredis'
import { keys } from './keys.js'

export const SESSION_TTL_SECONDS = 24 * 60 * 60

const COOKIE = 'outpost.sid'

/** The built-in app's cookie. With the prefix, browsers take it from this very host and over https only. */
export function ownCookieName(production: boolean): string {
  return production ? `__Host-${COOKIE}` : COOKIE
}

export interface SessionSettings {
  secret: string
  /** Cookies over https only. */
  production: boolean
}

export interface SessionStoreOptions {
  /** Each request extends its session, at the cost of a round trip. Otherwise a session has a fixed time. */
  extend: boolean
}

/** The store behind sessions, also used to end a session that is not the current request's. */
export function createSessionStore(redis: Redis, { extend }: SessionStoreOptions): RedisStore {
  // While it extends a session, express-session holds back the last byte of an answer that has already begun. If the
  // worker exits then, the answer breaks although another worker could have given it.
  return new RedisStore({ client: redis, prefix: keys.sessionPrefix, ttl: SESSION_TTL_SECONDS, disableTouch: !extend })
}

/**
 * express-session on Redis, shared by all workers. An id that a client made up is replaced by the library. Nothing is
 * stored for visitors without a session.
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
    name: COOKIE,
    secret: settings.secret,
    store,
    resave: false,
    saveUninitialized: false,
    ...options,
    cookie:
      typeof cookie === 'function' ? request => ({ ...defaults, ...cookie(request) }) : { ...defaults, ...cookie },
  })
}
