import t from 'tap'
import { ask, bearer, jsonOf, login, register, signIn, somebody, type Answer } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'

const FORGED = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9', 'x-real-ip': '203.0.113.9' }

for (const BALANCERS of ['1', '0']) {
  void t.test(`rate limits hold with BALANCERS=${BALANCERS}`, async t => {
    const { url } = await Cluster.start(t, { BALANCERS })

    await t.test('exactly the first hundred requests of a client pass, over all workers', async t => {
      const first = await ask(url, '/me', { from: '127.0.1.1' })
      t.match(first, {
        status: 401,
        headers: { 'ratelimit-policy': /^100;w=900/, ratelimit: /limit=100, remaining=99/ },
      })
      t.match(first.headers, { 'ratelimit-limit': '100', 'ratelimit-remaining': '99', 'ratelimit-reset': /^\d+$/ })

      const answers = await many(109, () => ask(url, '/me', { from: '127.0.1.1' }))
      t.equal(answers.filter(({ status }) => status === 401).length, 99)
      const refused = answers.filter(({ status }) => status === 429)
      t.equal(refused.length, 10)
      for (const answer of refused) {
        t.match(jsonOf(answer), { code: 'RATE_LIMITED', status: 429 })
        t.match(answer.headers, { 'retry-after': /^\d+$/, ratelimit: /remaining=0/ })
        t.ok(Number(answer.headers['retry-after']) <= 900)
      }
    })

    await t.test('a client cannot evade the limit by its headers', async t => {
      t.match(await ask(url, '/me', { from: '127.0.1.1', headers: FORGED }), { status: 429 })
      t.match(await ask(url, '/me', { from: '127.0.1.1', headers: { 'x-outpost-client': 'http 203.0.113.9' } }), {
        status: 429,
      })
    })

    await t.test('other clients, and the routes excepted in docs/config.md, are not limited', async t => {
      t.match(await ask(url, '/me', { from: '127.0.1.2' }), { status: 401 })
      for (const path of [
        '/',
        '/assets/style.css',
        '/health',
        '/health/ready',
        '/socket.io/?EIO=4&transport=polling',
      ]) {
        t.match(await ask(url, path, { from: '127.0.1.1' }), { status: 200 }, path)
      }
    })

    for (const path of ['/login', '/register']) {
      await t.test(`${path} may be asked for a fifth of that`, async t => {
        const from = path === '/login' ? '127.0.1.3' : '127.0.1.4'
        const answers = await many(25, () => ask(url, path, { from, json: {} }))
        t.equal(answers.filter(({ status }) => status === 400).length, 20)
        t.equal(answers.filter(({ status }) => status === 429).length, 5)
        t.match(await ask(url, '/me', { from }), { status: 401 }, 'the rest is still served')
      })
    }
  })
}

void t.test('guessing a password becomes slow for the guesser only', async t => {
  const { url } = await Cluster.start(t, { RATE_LIMIT_MAX: '1000', WORKERS: '1' })
  const credentials = somebody()
  await register(url, credentials)
  const guess = (from = '127.0.2.1'): Promise<Answer> =>
    login(url, { ...credentials, password: 'not this one' }, { from })

  for (let i = 0; i < 5; i++) t.match(await guess(), { status: 401 }, 'the first five cost nothing')
  // How long the sixth has to wait is a matter of a second, which may be over by now; the wait doubles each time.
  let refused = await guess()
  for (let i = 0; i < 6 && refused.status === 401; i++) refused = await guess()
  t.equal(refused.status, 429)
  t.equal(jsonOf(refused)['code'], 'LOGIN_BACKOFF')
  t.match(refused.headers['retry-after'], /^\d+$/)

  const { token } = await signIn(url, credentials, { from: '127.0.2.2' })
  t.match(await ask(url, '/me', { headers: bearer(token) }), { status: 200 }, 'nobody else is locked out')

  await until(async () => (await login(url, credentials, { from: '127.0.2.1' })).status === 200, 'its end', 60_000)
  t.match(await guess(), { status: 401 }, 'the right password clears the record')

  const atOnce = await many(12, () => guess('127.0.2.3'))
  const tried = atOnce.filter(({ status }) => status === 401).length
  // Where the machine is slow the first waits are over before the last guess has its turn.
  t.ok(tried >= 5 && tried <= 8, `guesses made at once are answered as one by one: ${tried} were tried`)
  t.equal(atOnce.filter(({ status }) => status === 429).length, 12 - tried)
})

function many(count: number, once: () => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: count }, once))
}
