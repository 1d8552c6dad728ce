import t from 'tap'
import { ask, login, register, somebody } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'

const env = { NODE_ENV: 'production', TRUST_PROXY: '1', WORKERS: '1', SESSION_SECRET: 's'.repeat(32) }
const { url } = await Cluster.start(t, env)

void t.test('in production the session cookie is sent over https only', async t => {
  const credentials = somebody()
  await register(url, credentials)
  const throughTls = await login(url, credentials, { headers: { 'x-forwarded-proto': 'https' } })
  t.match(throughTls.headers['set-cookie']?.[0], /; Secure/)
  const plain = await login(url, credentials)
  t.equal(plain.status, 200, 'the token works for both')
  t.equal(plain.headers['set-cookie'], undefined)
})

void t.test('in production the page is for https', async t => {
  const { headers } = await ask(url, '/')
  t.match(headers['content-security-policy'], /upgrade-insecure-requests/)
  t.ok(headers['strict-transport-security'])
})
