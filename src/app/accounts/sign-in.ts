import type { RedisStore } from 'connect-redis'
import type { Request } from 'express'
import { hashOfToken, type Accounts } from './accounts.js'

declare module 'express-session' {
  interface SessionData {
    username?: string
    /** Hash of the bearer token made by the same sign-in, so that both end at the same time. */
    tokenHash?: string
  }
}

/**
 * The user of a request: by the bearer token if there is an `Authorization` header, else by the session.
 * Every sign-in makes one of each, and both end at the same time.
 */
export class SignIn {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessionStore: RedisStore,
  ) {}

  /** A session under a new id (one that was set before the sign-in becomes invalid), and a token. */
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

/** Undefined for two headers, of which Node shows the first: another reader of the request may take the second. */
function bearerToken(request: Request): string | undefined {
  const [authorization = '', ...others] = request.headersDistinct['authorization'] ?? []
  return others.length > 0 ? undefined : BEARER.exec(authorization)?.[1]?.toLowerCase()
}

function promisify(start: (done: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start(error => {
      if (error === undefined || error === null) resolve()
      else reject(error instanceof Error ? error : new Error('the session store failed', { cause: error }))
    })
  })
}
