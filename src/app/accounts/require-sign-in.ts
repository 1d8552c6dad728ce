import type { Request, RequestHandler, Response } from 'express'
import { HttpError } from '../errors.js'
import type { SignIn } from './sign-in.js'

/** Lets only signed-in requests through. Later handlers read the user from `usernameFrom`. */
export function requireSignIn(signIn: SignIn, sessions: RequestHandler): RequestHandler {
  const identify = async (request: Request, response: Response): Promise<void> => {
    const username = await signIn.usernameOf(request)
    if (username === undefined) throw new HttpError('UNAUTHENTICATED')
    response.locals['username'] = username
  }
  return function requireSignIn(request, response, next) {
    void sessions(request, response, (error?: unknown) => {
      if (error !== undefined) next(error)
      else identify(request, response).then(() => next(), next)
    })
  }
}

export function usernameFrom(response: Response): string {
  return String(response.locals['username'])
}
