import { Router, type RequestHandler } from 'express'
import type { SecurityEvents } from '../../process/security-events.js'
import type { AttemptLimit } from '../../services/attempt-limit.js'
import { HttpError } from '../errors.js'
import type { Accounts } from './accounts.js'
import { parseCredentials, parseNewCredentials } from './credentials.js'
import { leaving, type PasswordCheck } from './password-check.js'
import type { SignIn } from './sign-in.js'

export interface AccountRouteOptions {
  accounts: Accounts
  passwords: PasswordCheck
  signIn: SignIn
  sessions: RequestHandler
  registerLimit: RequestHandler
  loginLimit: RequestHandler
  /** Registrations of one name, from whatever client; undefined when rate limits are off. */
  nameLimit: AttemptLimit | undefined
  cookie: { name: string; secure: boolean }
  events: Pick<SecurityEvents, 'note'>
}

/** POST /register, POST /login, POST /logout, GET /me. */
export function accountRoutes(options: AccountRouteOptions): Router {
  const { accounts, passwords, signIn, sessions, registerLimit, loginLimit, nameLimit, cookie, events } = options
  const router = Router()

  router.post('/register', registerLimit, async (request, response) => {
    const { username, password } = parseNewCredentials(request.body)
    const retryAfterSeconds = await nameLimit?.count(username)
    if (retryAfterSeconds !== undefined) throw new HttpError('REGISTER_LIMITED', { retryAfterSeconds })
    const account = await accounts.register(username, password, leaving(response))
    if (account === undefined) throw new HttpError('USERNAME_TAKEN')
    await passwords.know(request, username)
    response.status(201).json(account)
  })

  router.post('/login', loginLimit, sessions, async (request, response) => {
    const { username, password } = parseCredentials(request.body)
    const verified = await passwords.verify(request, response, username, password)
    const token = await signIn.begin(request, verified)
    // The password was changed in this moment.
    if (token === undefined) throw new HttpError('INVALID_CREDENTIALS')
    events.note('sign-in', 'account was signed in: its password was right', { account: username, client: request.ip })
    response.json({ token })
  })

  router.post('/logout', sessions, async (request, response) => {
    await signIn.end(request)
    // Browsers ignore this without what the cookie was set with.
    response.clearCookie(cookie.name, { secure: cookie.secure }).status(204).end()
  })

  router.get('/me', sessions, async (request, response) => {
    const username = await signIn.usernameOf(request)
    const account = username === undefined ? undefined : await accounts.find(username)
    if (account === undefined) throw new HttpError('UNAUTHENTICATED')
    response.set('Cache-Control', 'no-store').json(account)
  })

  return router
}
