import { body, counted, header, json, problem, signedIn, unauthenticated, withBody } from './openapi-parts.js'

const wrongPassword = problem('Not signed in, or the password is wrong')

/** Accounts and the sessions of one. */
export const accountPaths = {
  '/register': {
    post: {
      operationId: 'register',
      summary: 'Make an account',
      requestBody: body('NewCredentials'),
      responses: {
        201: { description: 'Made', content: json('Account') },
        400: problem('A value is invalid'),
        409: problem('The username is taken; of simultaneous registrations exactly one succeeds'),
        ...withBody,
      },
    },
  },
  '/login': {
    post: {
      operationId: 'login',
      summary: 'Sign in: a bearer token and a session cookie, which end together',
      requestBody: body('Credentials'),
      responses: {
        200: {
          description: 'Signed in for 24 hours, or until an hour without a request',
          headers: { 'Set-Cookie': header('The session, `outpost.sid`; in production `__Host-outpost.sid`') },
          content: json('Token'),
        },
        400: problem('A value is invalid'),
        401: problem('The username or the password is wrong; the answer does not say which'),
        ...withBody,
      },
    },
  },
  '/logout': {
    post: {
      operationId: 'logout',
      summary: 'End the session and the token, everywhere at once',
      security: [...signedIn, {}],
      responses: {
        204: { description: 'Signed out' },
        400: problem('The body does not match its headers. No body is needed'),
        ...withBody,
      },
    },
  },
  '/me': {
    get: {
      operationId: 'whoAmI',
      summary: 'The account that is signed in',
      security: signedIn,
      responses: { 200: { description: 'Signed in', content: json('Account') }, 401: unauthenticated, ...counted },
    },
  },
  '/sessions': {
    get: {
      operationId: 'listSessions',
      summary: 'All sessions of the account that is signed in',
      security: signedIn,
      responses: {
        200: { description: 'The last used one first', content: json('Sessions') },
        401: unauthenticated,
        ...counted,
      },
    },
  },
  '/sessions/end': {
    post: {
      operationId: 'endSessions',
      summary: 'End one session of the account, or all others, with their tokens',
      security: signedIn,
      requestBody: body('SessionEnd'),
      responses: {
        204: { description: 'Ended' },
        400: problem('A value is invalid'),
        401: wrongPassword,
        404: problem('There is no such session'),
        ...withBody,
      },
    },
  },
  '/password': {
    post: {
      operationId: 'changePassword',
      summary: 'Change the password; all sessions end, and a new one begins',
      security: signedIn,
      requestBody: body('PasswordChange'),
      responses: {
        200: { description: 'Changed, and signed in anew', content: json('Token') },
        400: problem('A value is invalid'),
        401: wrongPassword,
        ...withBody,
      },
    },
  },
}
