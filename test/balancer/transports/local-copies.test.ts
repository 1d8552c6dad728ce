import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import express from 'express'
import t, { type Test } from 'tap'
import { nameAnswer } from '#balancer/contract/request-id.js'
import { KeptAnswers } from '#balancer/requests/kept-answers.js'
import { addCookiesTo } from '#balancer/transports/added-cookies.js'
import { watchLocalFile, type WatchedRequest } from '#balancer/transports/local-copies.js'
import { ask, type Answer } from '../../helpers/client.js'
import { temporaryFolder } from '../../helpers/harness.js'

type App = (request: IncomingMessage, response: ServerResponse) => void

const FOREVER = { 'Cache-Control': 'public, max-age=31536000, immutable' }

interface Given {
  kept: KeptAnswers
  /** The app of a release. */
  run: (app: App) => void
  get: (path: string, method?: string) => Promise<Answer>
}

/** A server whose app changes, as it does with a release. Each client gets a cookie of the balancer's. */
async function given(t: Test): Promise<Given> {
  const kept = new KeptAnswers()
  kept.useUntil(Date.now() + 60_000)
  const addedCookies = ['added=1']
  let current: App = () => undefined
  const server = http.createServer((request, response) => {
    nameAnswer(response, 'id')
    addCookiesTo(response, addedCookies)
    const copyOf: WatchedRequest['copyOf'] = answer => kept.begin(request, answer)
    const keptAnswer: WatchedRequest['keptAnswer'] = () => kept.find(request)
    watchLocalFile({ request, response, addedCookies, copyOf, keptAnswer })
    current(request, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { kept, run: app => void (current = app), get: (path, method = 'GET') => ask(url, path, { method }) }
}

/** Ways in which apps say that there is nothing. */
const nothing: Record<string, App> = {
  'a status and an end': (_request, response) => {
    response.statusCode = 404
    response.end('nothing here')
  },
  'a head with its length, and pieces': (_request, response) => {
    response.writeHead(404, 'Not here', { 'Content-Length': 12, 'X-New': '1' })
    response.write('nothing', () => response.end(' here', () => undefined))
  },
  'fields that were set, and a stream': (_request, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.setHeader('Content-Length', 12)
    response.statusCode = 404
    Readable.from([Buffer.from('nothing'), Buffer.from(' here')]).pipe(response)
  },
  'a head that is sent first': (_request, response) => {
    response.statusCode = 404
    response.flushHeaders()
    response.end('nothing here')
  },
  Express: (request, response) => void express()(request, response),
}

const script = 'alert("ü")'

/** Ways in which apps answer with a file. */
const something: Record<string, (t: Test) => App> = {
  'a head and pieces': () => (_request, response) => {
    response.writeHead(200, { ...FOREVER, 'Content-Type': 'text/javascript' })
    response.write(script.slice(0, 4))
    response.end(Buffer.from(script.slice(4)))
  },
  'a head in a list': () => (_request, response) => {
    response.writeHead(200, ['Cache-Control', FOREVER['Cache-Control'], 'Content-Type', 'text/javascript'])
    response.end(script)
  },
  'a head in pairs': () => (_request, response) => {
    response.writeHead(200, [...Object.entries(FOREVER), ['Content-Type', 'text/javascript']] as unknown as string[])
    response.end(script)
  },
  Express: t => {
    const folder = temporaryFolder(t)
    writeFileSync(join(folder, 'app.js'), script)
    const app = express().use(express.static(folder, { immutable: true, maxAge: '1y' }))
    return (request, response) => void app(request, response)
  },
}

for (const [how, appOf] of Object.entries(something)) {
  void t.test(`a file of a local app is given in place of a 404 (${how})`, async t => {
    const { run, get, kept } = await given(t)
    run(appOf(t))
    t.equal((await get('/app.js', 'HEAD')).status, 200)
    t.equal(kept.size, 0, 'a HEAD has no body to keep')
    t.match(await get('/app.js'), { status: 200, text: script, headers: { 'set-cookie': ['added=1'] } })
    t.equal(kept.size, 1)
    for (const [way, app] of Object.entries(nothing)) {
      run(app)
      const answer = await get('/app.js')
      t.match(answer, { status: 200, text: script, headers: { 'x-request-id': 'id', 'set-cookie': ['added=1'] } }, way)
      t.match(answer.headers['content-type'], /^text\/javascript/, way)
      t.equal(answer.headers['x-new'], undefined, way)
      t.match(await get('/app.js', 'HEAD'), { status: 200, text: '' }, way)
      t.equal((await get('/other.js')).status, 404, way)
    }
  })
}

void t.test('an answer that is not a file, or has a cookie of the app, is left alone', async t => {
  const { run, get, kept } = await given(t)
  run((_request, response) => response.writeHead(200, FOREVER).end('page'))
  await get('/page')
  run((_request, response) => response.writeHead(200, { ...FOREVER, 'Set-Cookie': 'sid=1' }).end('page'))
  await get('/app.js')
  t.equal(kept.size, 0)
})
