import { once } from 'node:events'
import http, { type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { addCookiesTo } from '#balancer/transports/added-cookies.js'
import { ask } from '../../helpers/client.js'

const NO_COOKIE = { 'X-Own': '1' }
const COOKIE = { 'set-cookie': 'own=1' }
const LIST = ['Set-Cookie', 'own=1']
const PAIRS = [['Set-Cookie', 'own=1']] as unknown as string[]

/** Ways of writing a head. The headers are constants of the app. */
const heads: Record<string, RequestListener> = {
  'no head': (_request, response) => response.setHeader('Set-Cookie', ['own=1']),
  'an object': (_request, response) => response.setHeader('Set-Cookie', ['own=1']).writeHead(200, NO_COOKIE),
  'an object with a cookie': (_request, response) => response.writeHead(200, COOKIE),
  'a list': (_request, response) => response.writeHead(200, LIST),
  'a list after a message': (_request, response) => response.writeHead(200, 'Fine', LIST),
  pairs: (_request, response) => response.writeHead(200, PAIRS),
}

for (const [how, writeHead] of Object.entries(heads)) {
  void t.test(`each client gets the cookie that is added for it, and no other's (${how})`, async t => {
    let client = 0
    const server = http.createServer((request, response) => {
      addCookiesTo(response, [`added=${(client += 1)}`])
      writeHead(request, response)
      response.end()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    for (const number of [1, 2, 3]) {
      const { headers } = await ask(url, '/')
      t.strictSame(headers['set-cookie'], ['own=1', `added=${number}`])
    }
  })
}
