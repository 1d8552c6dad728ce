import { Router, type RequestHandler, type Response } from 'express'
import type { Accounts } from './accounts.js'
import type { LoginBackoff } from './login-backoff.js'
import { clientKey } from '../../services/rate-limit.js'
import { parseCredentials } from './credentials.js'
import { HttpError } from '../errors.js'
import type { SignIn } from './sign-in.js'

export interface AccountRouteOptions {
  accounts: Accounts
  signIn: SignIn
  sessions: RequestHandler
  registerLimit: RequestHandler
  loginLimit: RequestHandler
  /** Undefined when rate limits are off. */
  backoff: LoginBackoff | undefined
}

/** POST /register, POST /login, POST /logout, GET /me. */
export function accountRoutes(options: AccountRouteOptions): Router {
  const { accounts, signIn, sessions, registerLimit, loginLimit, backoff } = options
  const router = Router()

  router.post('/register', registerLimit, async (request, response) => {
    const { username, password } = parseCredentials(request.body)
    const account = await accounts.register(username, password, leaving(response))
    if (account === undefined) throw new HttpError('USERNAME_TAKEN')
    response.status(201).json(account)
  })

  router.post('/login', loginLimit, sessions, async (request, response) => {
    const { username, password } = parseCredentials(request.body)
    const client = clientKey(request)
    refuseWhileBackingOff(await backoff?.wait(username, client))
    const account = await accounts.verify(username, password, leaving(response))
    if (account === undefined) {
      refuseWhileBackingOff(await backoff?.failed(username, client))
      throw new HttpError('INVALID_CREDENTIALS')
    }
    refuseWhileBackingOff(await backoff?.succeeded(username, client))
    response.json({ token: await signIn.begin(request, username) })
  })

  router.post('/logout', sessions, async (request, response) => {
    await signIn.end(request)
    response.clearCookie('outpost.sid').status(204).end()
  })

  router.get('/me', sessions, async (request, response) => {
    const username = await signIn.usernameOf(request)
    const account = username === undefined ? undefined : await accounts.find(username)
    if (account === undefined) throw new HttpError('UNAUTHENTICATED')
    response.set('Cache-Control', 'no-store').json(account)
  })

  return router
}

/** Aborts when the client leaves, so that it keeps no place in the queue for hashing. */
function leaving(response: Response): AbortSignal {
  const controller = new AbortController()
  const left = (): void => controller.abort(new HttpError('HASHING_BUSY'))
  if (response.closed) left()
  else response.once('close', left)
  return controller.signal
}

function refuseWhileBackingOff(seconds = 0): void {
  if (seconds > 0) throw new HttpError('LOGIN_BACKOFF', { retryAfterSeconds: seconds })
}
