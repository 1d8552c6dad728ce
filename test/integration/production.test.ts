import t from 'tap'
import { ask, cookieOf, login, register, somebody } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'

const env = { NODE_ENV: 'production', TRUST_PROXY: '1', WORKERS: '1', SESSION_SECRET: 's'.repeat(32) }
const { url, port } = await Cluster.start(t, env)

void t.test('in production the session cookie is sent over https only', async t => {
  const credentials = somebody()
  await register(url, credentials)
  const throughTls = await login(url, credentials, { headers: { 'x-forwarded-proto': 'https' } })
  t.match(
    throughTls.headers['set-cookie']?.[0],
    /^__Host-outpost\.sid=[^;]+; Path=\/; .*HttpOnly; Secure; SameSite=Lax$/,
  )
  t.equal(throughTls.headers['set-cookie']?.length, 1)
  const headers = { cookie: cookieOf(throughTls), 'x-forwarded-proto': 'https' }
  t.match(await ask(url, '/me', { headers }), { status: 200 })
  const out = await ask(url, '/logout', { method: 'POST', headers })
  t.match(out.headers['set-cookie']?.[0], /^__Host-outpost\.sid=; Path=\/; Expires=Thu, 01 Jan 1970.*; Secure$/)
  t.match(await ask(url, '/me', { headers }), { status: 401 })
  const plain = await login(url, credentials)
  t.equal(plain.status, 200, 'the token works for both')
  t.equal(plain.headers['set-cookie'], undefined)
})

void t.test('in production the page is for https', async t => {
  const { headers } = await ask(url, '/')
  t.match(headers['content-security-policy'], /upgrade-insecure-requests/)
  t.ok(headers['strict-transport-security'])
})

void t.test('in production every answer makes browsers use https for a year, subdomains included', async t => {
  const paths = ['/', '/assets/main.js', '/health', '/health/ready', '/me', '/none', '/socket.io/socket.io.min.js']
  for (const path of [...paths, '/socket.io/?EIO=4&transport=polling']) {
    const { headers } = await ask(url, path)
    t.equal(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains', path)
  }
  const refused = await rawExchange(port, requestBytes('TRACE /'))
  t.match(refused, { status: 405, headers: { 'strict-transport-security': 'max-age=31536000; includeSubDomains' } })
})

void t.test('behind a proxy with TLS, the page may open a WebSocket to its own origin and no other', async t => {
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }
  const { headers } = await ask(url, '/', { headers: forwarded })
  t.match(headers['content-security-policy'], "connect-src 'self' wss://shop.example;")
  for (const [origin, status] of [
    ['https://shop.example', 200],
    ['http://shop.example', 403],
    ['https://other.example', 403],
  ] as const) {
    const asked = await ask(url, '/socket.io/?EIO=4&transport=polling', { headers: { ...forwarded, origin } })
    t.equal(asked.status, status, origin)
  }
})
