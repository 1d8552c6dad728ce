import type { Request, RequestHandler, Response } from 'express'
import { HttpError } from '../errors.js'
import type { SignedIn, SignIn } from './sign-in.js'

/** Lets only signed-in requests through. Later handlers read the user from `usernameFrom` or `signedInFrom`. */
export function requireSignIn(signIn: SignIn, sessions: RequestHandler): RequestHandler {
  const identify = async (request: Request, response: Response): Promise<void> => {
    const found = await signIn.find(request)
    if (found === undefined) throw new HttpError('UNAUTHENTICATED')
    response.locals['signedIn'] = found
  }
  return function requireSignIn(request, response, next) {
    void sessions(request, response, (error?: unknown) => {
      if (error !== undefined) next(error)
      else identify(request, response).then(() => next(), next)
    })
  }
}

export function signedInFrom(response: Response): SignedIn {
  return response.locals['signedIn'] as SignedIn
}

export function usernameFrom(response: Response): string {
  return signedInFrom(response).username
}
