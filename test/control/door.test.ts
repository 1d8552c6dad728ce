import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { portDoor, type Tokens } from '#src/control/door.js'
import type { Log } from '#src/control/log-answer.js'
import { contentTypes, type Problem } from '#src/control/protocol.js'
import { TokenStore } from '#src/control/token-store.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'
import { startControl } from './running-control.js'

const GOOD = 'outpost_good'

async function ask(port: number, options: http.RequestOptions = {}, body?: string) {
  const request = http.request({ host: '127.0.0.1', port, agent: false, path: '/v1/status', ...options }).end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk
  return { status: response.statusCode, headers: response.headers, ...(JSON.parse(text) as Partial<Problem>) }
}

const eventsOf = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as unknown)

const authorization = `Bearer ${GOOD}`

const onlyGood: Tokens = {
  permissionOf: token => (token === GOOD ? new AbortController().signal : undefined),
}

void t.test('the control API on a port serves clients with a token, and nobody else', async t => {
  const { server, carriedOut } = await startControl(t, {}, portDoor(0, onlyGood))
  const port = server.port!

  await t.test('a request with a token is answered, on 127.0.0.1 alone', async t => {
    t.match(await ask(port, { headers: { authorization } }), { status: 200, version: '0.1.0' })
    t.match(await ask(port, { headers: { authorization, host: `localhost:${port}` } }), { status: 200 })
    t.match(await ask(port, { headers: { authorization, origin: `http://127.0.0.1:${port}` } }), { status: 200 })
    const other = net.connect(port, '127.0.0.2')
    const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException]
    t.equal(error.code, 'ECONNREFUSED')
  })

  await t.test('a request without a token is refused before anything else is checked', async t => {
    carriedOut.length = 0
    const wrong = [
      undefined,
      'Bearer',
      'Bearer x',
      `Basic ${GOOD}`,
      GOOD,
      `Bearer ${GOOD}x`,
      `Bearer ${'x'.repeat(500)}`,
    ]
    for (const authorization of wrong) {
      const headers = authorization === undefined ? {} : { authorization }
      const answer = await ask(port, { headers })
      t.match(answer, {
        status: 401,
        code: 'UNAUTHORIZED',
        headers: { 'www-authenticate': 'Bearer', connection: 'close' },
      })
    }
    t.match(await ask(port, { method: 'POST', path: '/v1/stop' }), { status: 401 })
    t.match(await ask(port, { path: '/nowhere' }), { status: 401 })
    t.match(await ask(port, { method: 'POST', path: '/v1/scale' }, '{"workers":1}'), { status: 401 })
    t.strictSame(carriedOut, [])
  })

  await t.test('a request that a web page of another site could send is refused, token or not', async t => {
    const foreign = [
      { host: 'evil.example' },
      { host: `evil.example:${port}` },
      { host: `127.0.0.1.evil.example:${port}` },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `https://127.0.0.1:${port}` },
    ]
    for (const headers of foreign) {
      t.match(await ask(port, { headers: { authorization, ...headers } }), { status: 403, code: 'FOREIGN_ORIGIN' })
    }
    t.strictSame(carriedOut, [])
  })

  await t.test('tokens can be neither made nor revoked over the port', async t => {
    for (const [method, path] of [
      ['GET', '/v1/tokens'],
      ['POST', '/v1/tokens'],
      ['POST', '/v1/tokens/revoke'],
    ] as const) {
      t.match(await ask(port, { method, path, headers: { authorization } }), { status: 403, code: 'SOCKET_ONLY' })
    }
  })
})

void t.test('a token that is revoked ends what its clients are still getting, and sending', async t => {
  const tokens = new TokenStore(join(temporaryFolder(t), 'tokens.json'))
  const followers = new Set<(line: string) => void>()
  const log: Log = {
    read: (_count, onLine = () => undefined) => {
      followers.add(onLine)
      return { lines: [], stop: () => followers.delete(onLine) }
    },
  }
  const received: string[] = []
  const { server, carriedOut } = await startControl(
    t,
    {
      log,
      deploy: async archive => {
        for await (const chunk of archive as AsyncIterable<Buffer>) received.push(String(chunk))
        return { release: 'r1' }
      },
      reload: () => new Promise(() => undefined),
    },
    portDoor(0, tokens),
  )
  const { id, token } = tokens.create('stolen')
  const other = tokens.create('good')
  const open = (path: string, given = token, method = 'GET', headers = {}): http.ClientRequest =>
    http.request({
      ...{ host: '127.0.0.1', port: server.port, agent: false, method, path },
      headers: { authorization: `Bearer ${given}`, accept: contentTypes.events, ...headers },
    })
  const answerTo = async (request: http.ClientRequest): Promise<http.IncomingMessage> => {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    return response.setEncoding('utf8')
  }
  const following = await answerTo(open('/v1/logs?follow=1').end())
  const good = await answerTo(open('/v1/logs?follow=1', other.token).end())
  const reloading = await answerTo(open('/v1/reload', token, 'POST').end())
  const plain = open('/v1/reload', token, 'POST', { accept: '*/*' }).end()
  const deploying = open('/v1/releases?source=x', token, 'POST', { 'transfer-encoding': 'chunked' })
  const cut = new Promise(resolve => deploying.on('error', () => undefined).once('close', resolve))
  deploying.write('the first part')
  await until(() => received.length === 1 && carriedOut.length === 3, 'all of them to begin')

  tokens.revoke(id)
  for (const print of followers) print('printed later')
  const refused = { event: 'failed', error: { code: 'UNAUTHORIZED' } }
  for (const stream of [following, reloading]) t.match(eventsOf((await stream.toArray()).join('')), [refused])
  t.equal((await answerTo(plain)).statusCode, 401)
  await cut
  t.strictSame(received, ['the first part'])
  const [line] = (await once(good, 'data')) as [string]
  t.match(eventsOf(line), [{ event: 'line', line: 'printed later' }], 'the client of another token gets it')
  good.destroy()
})

void t.test('a port that is taken is named', async t => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as net.AddressInfo
  const failed = startControl(t, {}, portDoor(port, { permissionOf: () => new AbortController().signal }))
  await t.rejects(failed, { message: new RegExp(`^ADMIN_PORT=${port} cannot be opened: .*EADDRINUSE`) })
})

void t.test('strangers that hold all connections of the port do not shut out clients with a token', async t => {
  const { server } = await startControl(t, {}, portDoor(0, onlyGood))
  const port = server.port!
  const strangers = Array.from({ length: 100 }, () => net.connect(port, '127.0.0.1').on('error', () => undefined))
  t.teardown(() => strangers.forEach(socket => socket.destroy()))
  await Promise.all(strangers.map(socket => once(socket, 'connect')))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const freed = once(agent, 'free')
  t.match(await ask(port, { agent, headers: { authorization } }), { status: 200 })
  const [own] = (await freed) as [net.Socket]
  const more = Array.from({ length: 100 }, () => net.connect(port, '127.0.0.1').on('error', () => undefined))
  t.teardown(() => more.forEach(socket => socket.destroy()))
  await Promise.all(more.map(socket => once(socket, 'connect')))
  t.match(await ask(port, { agent, headers: { authorization } }), { status: 200 })
  t.notOk(own.destroyed, 'it keeps its connection')
})
