import { counted, json, problem } from './openapi-parts.js'

/** The page, the description itself, health and the chat. */
export const servicePaths = {
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
      summary: 'Packets of a polling client',
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
