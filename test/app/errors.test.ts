import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import session, { Store } from 'express-session'
import { pino } from 'pino'
import t from 'tap'
import { balancerErrors } from '#balancer'
import { answerErrors, answerNotFound, appErrors, HttpError } from '#src/app/errors.js'
import { controlErrors } from '#src/control/protocol.js'
import { realtimeErrors } from '#src/services/realtime.js'
import { ask, jsonOf } from '../helpers/client.js'

const silent = pino({ level: 'silent' })

async function serve(t: Tap, ...handlers: RequestHandler[]): Promise<string> {
  const app = express()
  for (const handler of handlers) app.use(handler)
  app.use(answerNotFound)
  app.use(answerErrors(silent))
  const server = http.createServer(app).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

type Tap = Pick<typeof t, 'teardown'>

const throwing =
  (error: unknown): RequestHandler =>
  () => {
    throw error
  }

void t.test('docs/errors.md lists every error that a user can see, and no other', async t => {
  const page = readFileSync('docs/errors.md', 'utf8')
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` +\| (\d{3}) +\| (.+?) +\|$/gm)].map(([, code, status, detail]) => {
    return { code, status: Number(status), detail }
  })
  const catalogues = { ...balancerErrors, ...appErrors, ...realtimeErrors, ...controlErrors }
  const catalogue = Object.entries(catalogues).map(([code, error]) => {
    return { code, status: error.status, detail: error.detail }
  })
  const byCode = (a: { code: string | undefined }, b: { code: string | undefined }): number =>
    String(a.code).localeCompare(String(b.code))
  t.same(rows.sort(byCode), catalogue.sort(byCode))
})

void t.test('an error of the catalogue is answered as a problem document', async t => {
  const faults = [{ field: 'username', reason: 'must be a string' }]
  const url = await serve(t, throwing(new HttpError('VALIDATION_FAILED', { faults })))
  const answer = await ask(url, '/', { headers: { 'x-request-id': 'r-1' } })
  t.equal(answer.status, 400)
  t.match(answer.headers['content-type'], /^application\/problem\+json/)
  t.match(jsonOf(answer), {
    code: 'VALIDATION_FAILED',
    status: 400,
    title: 'Bad Request',
    errors: faults,
    requestId: 'r-1',
  })
})

void t.test('an unexpected error is a 500 without details', async t => {
  const url = await serve(t, throwing(new Error('the secret is 42')))
  const answer = await ask(url, '/')
  t.equal(answer.status, 500)
  t.notMatch(answer.text, /42|at /)
})

void t.test('an error of an absent Redis is 503 with Retry-After', async t => {
  const url = await serve(t, throwing(new Error("Stream isn't writeable and enableOfflineQueue options is false")))
  const answer = await ask(url, '/')
  t.equal(answer.status, 503)
  t.equal(answer.headers['retry-after'], '1')
  t.match(jsonOf(answer), { code: 'REDIS_UNAVAILABLE' })
})

void t.test('an unknown route is 404', async t => {
  const answer = await ask(await serve(t), '/')
  t.match(jsonOf(answer), { code: 'NOT_FOUND', status: 404 })
})

void t.test('a path that does not decode to text is 404', async t => {
  const router = express.Router()
  router.get('/:key', (_request, response) => void response.end())
  const answer = await ask(await serve(t, router), '/%zz')
  t.match(jsonOf(answer), { code: 'NOT_FOUND', status: 404 })
})

void t.test('a session that cannot be saved fails its request, and not the next one of the connection', async t => {
  class AwayStore extends Store {
    override get(_id: string, done: (error: unknown) => void): void {
      done(null)
    }
    override set(_id: string, _session: unknown, done?: (error: unknown) => void): void {
      setImmediate(() => done?.(new Error('Connection is closed.')))
    }
    override destroy(_id: string, done?: (error: unknown) => void): void {
      done?.(null)
    }
  }
  const sessions = session({ secret: 's', store: new AwayStore(), resave: false, saveUninitialized: false })
  const url = await serve(t, sessions, request => {
    Object.assign(request.session, { username: 'alice' })
    throw new Error('Connection is closed.')
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const statuses: Array<number | undefined> = []
  const reused: boolean[] = []
  for (let i = 0; i < 3; i += 1) {
    await new Promise<void>((resolve, reject) => {
      const request = http.get(url, { agent }, answer => {
        statuses.push(answer.statusCode)
        reused.push(request.reusedSocket)
        answer.resume().once('end', resolve)
      })
      request.once('error', reject)
    })
    // By now the server has run its work after the answer.
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
  }
  t.same(statuses, [503, 503, 503])
  t.same(reused, [false, true, true])
})
