import { once } from 'node:events'
import http from 'node:http'
import express from 'express'
import t, { type Test } from 'tap'
import { bearExpressMessages } from '#src/worker/express-messages.js'
import { socketPathFor } from '../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'

interface Prototypes {
  request: unknown
  response: unknown
}

/** Serves one GET, and returns the prototypes that its messages were created with. */
async function serveOne(t: Test, server: http.Server): Promise<{ born: Prototypes; body: string }> {
  let born: Prototypes = { request: undefined, response: undefined }
  server.prependListener('request', (request, response) => {
    born = { request: Object.getPrototypeOf(request), response: Object.getPrototypeOf(response) }
  })
  const path = socketPathFor(t)
  await once(server.listen(path), 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const { body } = await rawExchange(path, requestBytes('GET /sub/page?q=1', ['Connection: close']))
  return { born, body: body.toString() }
}

void t.test('messages of an Express app have its prototypes from the start', async t => {
  const app = express()
  app.get('/sub/page', (request, response) => void response.json(request.query))
  const server = http.createServer(app)
  const classes = bearExpressMessages(server)
  t.equal(classes?.IncomingMessage.prototype, app.request)
  t.equal(classes?.ServerResponse.prototype, app.response)
  const { born, body } = await serveOne(t, server)
  t.equal(body, '{"q":"1"}')
  t.equal(born.request, app.request)
  t.equal(born.response, app.response)
})

void t.test("messages of an Express app are Node's, with own properties", async t => {
  const seen: unknown[] = []
  const app = express()
  app.get('/sub/page', (request, response) => {
    seen.push(request instanceof http.IncomingMessage, response instanceof http.ServerResponse)
    seen.push(request.method, request.headers.connection, request.socket === response.socket)
    response.status(201).end()
  })
  const server = http.createServer(app)
  bearExpressMessages(server)
  await serveOne(t, server)
  t.same(seen, [true, true, 'GET', 'close', true])
})

void t.test('a mounted Express app has its own prototypes, and restores the outer ones', async t => {
  const seen: unknown[] = []
  const [app, mounted] = [express(), express()]
  mounted.use((request, _response, next) => {
    seen.push(request.app === mounted)
    next()
  })
  app.use('/sub', mounted)
  app.get('/sub/page', (request, response) => {
    seen.push(request.app === app)
    response.end()
  })
  const server = http.createServer(app)
  bearExpressMessages(server)
  await serveOne(t, server)
  t.same(seen, [true, true])
})

void t.test('properties that an app adds to its prototypes later are seen', async t => {
  const app = express()
  app.get('/sub/page', (_request, response) => void response.send((response as unknown as { hi(): string }).hi()))
  const server = http.createServer(app)
  bearExpressMessages(server)
  Object.assign(app.response, { hi: () => 'added' })
  t.equal((await serveOne(t, server)).body, 'added')
})

void t.test("an app that overrides properties of Node's messages keeps plain messages", t => {
  const [app, changed] = [express(), express()]
  class OwnRequest extends http.IncomingMessage {}
  t.equal(bearExpressMessages(http.createServer({ IncomingMessage: OwnRequest }, app)), undefined)
  Object.assign(changed.response, { end: () => undefined })
  t.equal(bearExpressMessages(http.createServer(changed)), undefined)
  const getter = express()
  Object.defineProperty(getter.request, 'complete', { get: () => true })
  t.equal(bearExpressMessages(http.createServer(getter)), undefined)
  t.ok(bearExpressMessages(http.createServer(app)))
  t.end()
})

void t.test('a server with other listeners than one Express app is left alone', async t => {
  const answer = (_request: unknown, response: http.ServerResponse): void => void response.end('plain')
  const look = Object.assign(answer.bind(undefined), { request: {}, response: {} })
  const servers = {
    'a handler': http.createServer(answer),
    'something that only looks like one': http.createServer(look),
    'one of two listeners': http.createServer(express()).prependListener('request', answer),
    'no listener yet': http.createServer(),
  }
  for (const [what, server] of Object.entries(servers)) t.equal(bearExpressMessages(server), undefined, what)
  const { born, body } = await serveOne(t, servers['a handler'])
  t.equal(body, 'plain')
  t.equal(born.request, http.IncomingMessage.prototype)
  t.equal(born.response, http.ServerResponse.prototype)
})
