import express from 'express'
import http from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { headersBesideTheApp, securityHeaders } from '#src/app/security-headers.js'
import { ask } from '../helpers/client.js'

async function serve(t: Tap, production: boolean): Promise<string> {
  const app = express().use(securityHeaders(production))
  app.get('/', (_request, response) => void response.send('a page'))
  app.use((_request, response) => void response.status(404).end())
  const server = http.createServer(app).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

type Tap = Pick<typeof t, 'teardown'>

void t.test('every answer has the headers that keep a page to itself, also where there is no page', async t => {
  const url = await serve(t, false)
  for (const path of ['/', '/none']) {
    const { headers } = await ask(url, path)
    t.equal(headers['x-content-type-options'], 'nosniff')
    t.equal(headers['referrer-policy'], 'no-referrer')
    t.equal(headers['cross-origin-opener-policy'], 'same-origin')
    t.equal(headers['access-control-allow-origin'], undefined)
    t.equal(headers['strict-transport-security'], undefined, 'plain http outside of production')
    const policy = headers['content-security-policy'] as string
    const none = ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]
    for (const directive of none) t.ok(policy.split(';').includes(directive), directive)
    t.notMatch(policy, /unsafe|\*|data:|https?:/)
  }
})

void t.test('the policy names the WebSocket origin of the page’s own host', async t => {
  const url = await serve(t, false)
  const policyFor = async (host: string): Promise<unknown> =>
    (await ask(url, '/', { headers: { host } })).headers['content-security-policy']
  t.match(await policyFor('shop.example:3000'), "connect-src 'self' ws://shop.example:3000;")
  t.match(await policyFor('[::1]:3000'), "connect-src 'self' ws://[::1]:3000;")
  for (const host of ["a'; script-src *", 'a;b', 'a,b', 'a b']) {
    t.match(await policyFor(host), "connect-src 'self' 'self';", `${host} is no host`)
  }
})

void t.test('in production browsers are told to use https for a year, subdomains included', async t => {
  const hsts = 'max-age=31536000; includeSubDomains'
  t.equal((await ask(await serve(t, true), '/')).headers['strict-transport-security'], hsts)
  t.equal(headersBesideTheApp(true)['Strict-Transport-Security'], hsts)
  t.notOk('Strict-Transport-Security' in headersBesideTheApp(false))
})
