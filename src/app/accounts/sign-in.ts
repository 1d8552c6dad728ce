import type { RedisStore } from 'connect-redis'
import type { Request } from 'express'
import { hashOfToken, type Accounts } from './accounts.js'

declare module 'express-session' {
  interface SessionData {
    username?: string
    /** Hash of the bearer token made by the same sign-in, so that both end together. */
    tokenHash?: string
  }
}

/**
 * The user of a request: by the bearer token if there is an `Authorization` header, else by the session.
 * Every sign-in makes one of each, and they live and die together.
 */
export class SignIn {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessionStore: RedisStore,
  ) {}

  /** A session under a new id (one that was set before the sign-in is worth nothing after it), and a token. */
  async begin(request: Request, username: string): Promise<string> {
    await this.#revokeTokenOfSession(request)
    await promisify(done => request.session.regenerate(done))
    const token = await this.accounts.issueToken({ username, sessionId: request.session.id })
    request.session.username = username
    request.session.tokenHash = hashOfToken(token)
    await promisify(done => request.session.save(done))
    return token
  }

  async usernameOf(request: Request): Promise<string | undefined> {
    if (request.headers.authorization === undefined) return request.session.username
    const token = bearerToken(request)
    return token === undefined ? undefined : (await this.accounts.tokenRecord(token))?.username
  }

  /** Ends both, whichever of them the request came with. */
  async end(request: Request): Promise<void> {
    const token = bearerToken(request)
    if (token !== undefined) {
      const record = await this.accounts.tokenRecord(token)
      if (record !== undefined) await this.sessionStore.destroy(record.sessionId)
      await this.accounts.revokeToken(hashOfToken(token))
    }
    await this.#revokeTokenOfSession(request)
    await promisify(done => request.session.destroy(done))
  }

  async #revokeTokenOfSession(request: Request): Promise<void> {
    const { tokenHash } = request.session
    if (tokenHash !== undefined) await this.accounts.revokeToken(tokenHash)
  }
}

const BEARER = /^Bearer ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i

/** Undefined also where there are two: nobody could tell which of them was meant. */
function bearerToken(request: Request): string | undefined {
  if ((request.headersDistinct['authorization']?.length ?? 0) > 1) return undefined
  return BEARER.exec(request.headers.authorization ?? '')?.[1]?.toLowerCase()
}

function promisify(start: (done: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start(error => {
      if (error === undefined || error === null) resolve()
      else reject(error instanceof Error ? error : new Error('the session store failed', { cause: error }))
    })
  })
}
