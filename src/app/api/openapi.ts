/** The OpenAPI 3.1 description of the built-in app, served at `/openapi.json`. docs/http-api.md says the same in words. */

import { schemas } from './openapi-schemas.js'

const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` })

const json = (name: string): object => ({ 'application/json': { schema: ref(name) } })

const body = (name: string): object => ({ required: true, content: json(name) })

const problem = (description: string): object => ({
  description,
  content: { 'application/problem+json': { schema: ref('Problem') } },
})

const header = (description: string, schema: object = { type: 'string' }): object => ({ description, schema })

const inPath = (name: string, pattern: string): object => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', pattern },
})

/** Either of the two is enough. */
const signedIn = [{ bearer: [] }, { session: [] }]

const unauthenticated = problem('Not signed in')
const limited = problem('Too many requests; `Retry-After` says when to try again')

/** Further answers of every route that counts its requests. */
const counted = { 429: limited, 503: problem('What it needs is away or busy; `Retry-After` says when to try again') }
const changing = { 403: problem('A page of another origin may not do this with your session'), ...counted }
const withBody = {
  413: problem('The body is too large'),
  415: problem('This type of body is not supported'),
  ...changing,
}

const noSpace = problem('The quota of the account, or the space of the storage, is used up; nothing is stored')

const productId = inPath('id', '^[A-Za-z0-9_-]{1,64}$')
const uploadKey = inPath('key', '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')

const fileHeaders = {
  ETag: header('Changes with the content; good for `If-None-Match`'),
  'Content-Disposition': header('`inline` for safe image types, else `attachment`'),
  'X-Content-Type-Options': header('Always `nosniff`'),
}

const accounts = {
  '/register': {
    post: {
      operationId: 'register',
      summary: 'Make an account',
      requestBody: body('NewCredentials'),
      responses: {
        201: { description: 'Made', content: json('Account') },
        400: problem('A value is invalid'),
        409: problem('The username is taken; of any number at once exactly one gets it'),
        ...withBody,
      },
    },
  },
  '/login': {
    post: {
      operationId: 'login',
      summary: 'Sign in: a bearer token and a session cookie, which live and die together',
      requestBody: body('Credentials'),
      responses: {
        200: {
          description: 'Signed in for 24 hours, or until an hour without a request',
          headers: { 'Set-Cookie': header('The session, `outpost.sid`; in production `__Host-outpost.sid`') },
          content: json('Token'),
        },
        400: problem('A value is invalid'),
        401: problem('The username or the password is wrong, without telling which'),
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
}

const wrongPassword = problem('Not signed in, or the password is wrong')

const sessions = {
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

const products = {
  '/products/{id}': {
    parameters: [productId],
    get: {
      operationId: 'readProduct',
      summary: 'A product, from the cache if it is there',
      responses: {
        200: {
          description: 'The product',
          headers: {
            'X-Cache': header('Where it came from', { type: 'string', enum: ['HIT', 'MISS', 'STALE'] }),
          },
          content: json('Product'),
        },
        400: problem('No valid id'),
        404: problem('There is no such product'),
        ...counted,
      },
    },
    put: {
      operationId: 'writeProduct',
      summary: 'Make or change a product; every reader sees it at once',
      security: signedIn,
      requestBody: body('ProductFields'),
      responses: {
        200: { description: 'Stored', content: json('Product') },
        400: problem('A value is invalid'),
        401: unauthenticated,
        ...withBody,
        403: problem('It belongs to another account, or a page of another origin asks'),
        507: noSpace,
      },
    },
  },
}

const uploads = {
  '/upload': {
    post: {
      operationId: 'upload',
      summary: 'Store a file, streamed',
      security: signedIn,
      requestBody: {
        required: true,
        content: {
          'multipart/form-data': {
            schema: {
              type: 'object',
              required: ['file'],
              properties: { file: { type: 'string', contentMediaType: 'application/octet-stream' } },
            },
          },
        },
      },
      responses: {
        201: { description: 'Stored', headers: { Location: header('Where it is') }, content: json('StoredFile') },
        400: problem('Not one file in the field `file`, or cut short'),
        401: unauthenticated,
        408: problem('The file did not arrive in time'),
        ...withBody,
        413: problem('Larger than UPLOAD_MAX_BYTES; nothing is stored'),
        507: noSpace,
      },
    },
  },
  '/uploads/{key}': {
    parameters: [uploadKey],
    get: {
      operationId: 'download',
      summary: 'The file, for any client that has its key; also in ranges',
      parameters: [{ name: 'Range', in: 'header', schema: { type: 'string' } }],
      responses: {
        200: { description: 'All of it', headers: fileHeaders, content: { '*/*': {} } },
        206: { description: 'The range', headers: fileHeaders, content: { '*/*': {} } },
        304: { description: 'Not changed' },
        404: problem('There is no such file'),
        416: problem('The range lies outside the file'),
        ...counted,
      },
    },
    head: {
      operationId: 'describeUpload',
      summary: 'The headers of the file',
      responses: {
        200: { description: 'As of GET', headers: fileHeaders },
        304: { description: 'Not changed' },
        404: { description: 'No such file' },
        429: { description: 'Too many requests' },
        503: { description: 'The storage or Redis is away' },
      },
    },
    delete: {
      operationId: 'deleteUpload',
      summary: 'Delete a file of your own',
      security: signedIn,
      responses: {
        204: { description: 'Deleted' },
        401: unauthenticated,
        404: problem('There is no such file of yours'),
        ...changing,
      },
    },
  },
}

const others = {
  '/': { get: { operationId: 'page', summary: 'A page to try it from a browser', responses: html() } },
  '/openapi.json': {
    get: {
      operationId: 'describe',
      summary: 'This description',
      responses: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': {} } }, ...counted },
    },
  },
  '/health': {
    get: {
      operationId: 'alive',
      summary: 'Whether this worker can serve',
      responses: { 200: { description: '`OK`', content: { 'text/plain': {} } } },
    },
  },
  '/health/ready': {
    get: {
      operationId: 'ready',
      summary: 'Whether it can reach all that it needs',
      responses: {
        200: { description: 'Ready', content: json('Readiness') },
        503: { description: 'Not ready', content: json('Readiness') },
      },
    },
  },
  '/socket.io/': {
    get: {
      operationId: 'realtime',
      summary:
        'Socket.IO (protocol 5, Engine.IO 4), polling and WebSocket, open to anyone of the same origin: event ' +
        '`message` from one client reaches every client of every worker. Use a Socket.IO client.',
      parameters: ['EIO', 'transport', 'sid'].map(name => ({
        name,
        in: 'query',
        required: name !== 'sid',
        schema: { type: 'string' },
      })),
      responses: {
        101: { description: 'A WebSocket' },
        200: { description: 'What came meanwhile', content: { 'text/plain': {} } },
        400: { description: 'No such session: make a new handshake', content: { 'application/json': {} } },
        403: problem('A page of another origin'),
        503: problem('The worker has as many sessions as it takes'),
      },
    },
    post: {
      operationId: 'realtimeSend',
      summary: 'What a polling client sends',
      responses: {
        200: { description: '`ok`' },
        400: { description: 'No such session' },
        403: problem('Other origin'),
        413: { description: 'More than 64 KiB in one request' },
      },
    },
  },
}

function html(): object {
  return { 200: { description: 'HTML', content: { 'text/html': {} } }, 304: { description: 'Not changed' } }
}

export const openapi = {
  openapi: '3.1.0',
  info: {
    title: 'Outpost',
    version: '0.1.0',
    description:
      'Every answer carries `X-Request-Id`; with EXPOSE_WORKER=1 also `X-Outpost-Worker`, the worker that served it. ' +
      'Errors are `application/problem+json` (RFC 9457).',
  },
  paths: { ...accounts, ...sessions, ...products, ...uploads, ...others },
  components: {
    schemas,
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer' },
      session: { type: 'apiKey', in: 'cookie', name: 'outpost.sid' },
    },
  },
}
