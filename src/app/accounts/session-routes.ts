import { Router, type RequestHandler } from 'express'
import type { SecurityEvents } from '../../process/security-events.js'
import { HttpError } from '../errors.js'
import type { Accounts } from './accounts.js'
import { parsePasswordChange, parseSessionEnd } from './credentials.js'
import { leaving, type PasswordCheck } from './password-check.js'
import { signedInFrom } from './require-sign-in.js'
import type { SignIn } from './sign-in.js'
import type { SignIns } from './sign-ins.js'

export interface SessionRouteOptions {
  accounts: Accounts
  passwords: PasswordCheck
  signIn: SignIn
  signIns: SignIns
  signedIn: RequestHandler
  loginLimit: RequestHandler
  events: Pick<SecurityEvents, 'note'>
}

/** GET /sessions, POST /sessions/end, POST /password. */
export function sessionRoutes(options: SessionRouteOptions): Router {
  const { accounts, passwords, signIn, signIns, signedIn, loginLimit, events } = options
  const router = Router()

  router.get('/sessions', signedIn, async (_request, response) => {
    const { username, signInId } = signedInFrom(response)
    const records = [...(await signIns.list(username))].sort(([, a], [, b]) => b.seenAt - a.seenAt)
    const sessions = records.map(([id, { startedAt, seenAt, client, agent }]) => ({
      id,
      current: id === signInId,
      startedAt: new Date(startedAt).toISOString(),
      seenAt: new Date(seenAt).toISOString(),
      client,
      agent,
    }))
    response.set('Cache-Control', 'no-store').json({ sessions })
  })

  // With the password: somebody at a browser that was left open must not throw out its owner (ASVS 7.5.2).
  router.post('/sessions/end', loginLimit, signedIn, async (request, response) => {
    const { username, signInId } = signedInFrom(response)
    const { password, id } = parseSessionEnd(request.body)
    await passwords.verify(request, response, username, password)
    if (id === undefined) await signIns.endOthers(username, signInId)
    else if (!(await signIns.end(username, id))) throw new HttpError('NOT_FOUND')
    const facts = { account: username, client: request.ip }
    events.note('sessions-ended', 'sessions were ended: their user asked for it', facts)
    response.status(204).end()
  })

  router.post('/password', loginLimit, signedIn, async (request, response) => {
    const { username } = signedInFrom(response)
    const { currentPassword, newPassword } = parsePasswordChange(request.body, username)
    const verified = await passwords.verify(request, response, username, currentPassword)
    const change = await accounts.changePassword(verified, newPassword, leaving(response))
    // Somebody else has changed it in this moment.
    if (change === undefined) throw new HttpError('INVALID_CREDENTIALS')
    await signIns.forget(change.ended)
    const token = await signIn.begin(request, change.changed)
    if (token === undefined) throw new HttpError('INVALID_CREDENTIALS')
    const facts = { account: username, client: request.ip }
    events.note('password-changed', 'password was changed: its user asked for it', facts)
    response.json({ token })
  })

  return router
}
