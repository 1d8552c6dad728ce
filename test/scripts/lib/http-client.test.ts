import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { ask, jsonOf, tryToAsk } from '#scripts/lib/http-client.js'
import type { Harness } from '../../helpers/harness.js'

async function serve(t: Harness, listener: http.RequestListener): Promise<string> {
  const server = http.createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Answers with the request. */
const echo: http.RequestListener = (request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', chunk => (body += String(chunk)))
  request.on('end', () => {
    const { method, url, headers, socket } = request
    response.end(JSON.stringify({ method, url, type: headers['content-type'], body, from: socket.remoteAddress }))
  })
}

void t.test('a request is a GET, or a POST when it has JSON', async t => {
  const base = await serve(t, echo)
  t.match(jsonOf(await ask(base, '/a?b=c')), { method: 'GET', url: '/a?b=c', body: '' })
  const sent = { method: 'POST', type: 'application/json', body: '{"a":1}' }
  t.match(jsonOf(await ask(base, '/', { json: { a: 1 } })), sent)
  const put = { method: 'PUT', headers: { 'content-type': 'text/plain' }, body: 'as it is' }
  t.match(jsonOf(await ask(base, '/', put)), { method: 'PUT', type: 'text/plain', body: 'as it is' })
})

void t.test('a request leaves from the address it was given', async t => {
  const base = await serve(t, echo)
  t.match(jsonOf(await ask(base, '/', { from: '127.0.0.9' })), { from: '127.0.0.9' })
})

void t.test('a broken connection rejects, or is a reply with status 0', async t => {
  const base = await serve(t, request => request.socket.destroy())
  await t.rejects(ask(base, '/'), { code: 'ECONNRESET' })
  t.match(await tryToAsk(base, '/'), { status: 0, text: '', error: 'ECONNRESET' })
})

void t.test('an answer that breaks off in its middle rejects', async t => {
  const base = await serve(t, (request, response) => {
    response.writeHead(200, { 'content-length': 10 })
    response.write('half', () => request.socket.destroy())
  })
  await t.rejects(ask(base, '/'), { code: 'ECONNRESET' })
})

void t.test('silence rejects after the timeout', async t => {
  const base = await serve(t, () => undefined)
  await t.rejects(ask(base, '/', { timeoutMs: 20 }), { message: 'no answer to GET / in 20 ms' })
})
