import type { Request } from 'express'
import { v4 as uuid } from 'uuid'
import { countedAddress } from '../../services/rate-limit.js'
import { hashOfToken, makeToken, type Accounts, type VerifiedAccount } from './accounts.js'
import type { SignIns } from './sign-ins.js'

declare module 'express-session' {
  interface SessionData {
    username?: string
    /** The sign-in that made the session. */
    signInId?: string
  }
}

/** The sender of a request, and its sign-in. */
export interface SignedIn {
  username: string
  signInId: string
}

/**
 * The user of a request: by the bearer token if there is an `Authorization` header, else by the session.
 * Every sign-in makes one of each, and both end at the same time.
 */
export class SignIn {
  constructor(
    private readonly accounts: Accounts,
    private readonly signIns: SignIns,
  ) {}

  /**
   * A session under a new id (one that was set before the sign-in becomes invalid), and a token.
   * @returns undefined when the account has changed since its password was verified
   */
  async begin(request: Request, { account, stored }: VerifiedAccount): Promise<string | undefined> {
    const { username } = account
    await this.#endThatOfSession(request)
    await promisify(done => request.session.regenerate(done))
    const [signInId, token] = [uuid(), makeToken()]
    const made = { sessionId: request.session.id, tokenHash: hashOfToken(token) }
    const from = { client: countedAddress(request), agent: request.get('user-agent') ?? '' }
    if (!(await this.signIns.add(username, stored, signInId, { ...made, ...from }))) return undefined
    await this.accounts.storeToken(token, { username, signInId })
    request.session.username = username
    request.session.signInId = signInId
    await promisify(done => request.session.save(done))
    return token
  }

  /** Undefined when nobody is signed in, or not any more. */
  async find(request: Request): Promise<SignedIn | undefined> {
    const found = await this.#claimed(request)
    return found !== undefined && (await this.signIns.isAlive(found.username, found.signInId)) ? found : undefined
  }

  async usernameOf(request: Request): Promise<string | undefined> {
    return (await this.find(request))?.username
  }

  /** Ends the sign-in of the token and that of the session. */
  async end(request: Request): Promise<void> {
    const token = bearerToken(request)
    const record = token === undefined ? undefined : await this.accounts.tokenRecord(token)
    if (record !== undefined) await this.signIns.end(record.username, record.signInId)
    await this.#endThatOfSession(request)
    await promisify(done => request.session.destroy(done))
  }

  async #claimed(request: Request): Promise<SignedIn | undefined> {
    if (request.headers.authorization === undefined) return inSession(request)
    const token = bearerToken(request)
    return token === undefined ? undefined : await this.accounts.tokenRecord(token)
  }

  async #endThatOfSession(request: Request): Promise<void> {
    const found = inSession(request)
    if (found !== undefined) await this.signIns.end(found.username, found.signInId)
  }
}

function inSession({ session }: Request): SignedIn | undefined {
  const { username, signInId } = session
  return username === undefined || signInId === undefined ? undefined : { username, signInId }
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
