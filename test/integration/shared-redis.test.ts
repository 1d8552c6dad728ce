import t from 'tap'
import { ask, bearer, jsonOf, member, register, signIn } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { RedisServer } from '../helpers/redis-server.js'

void t.test('two Outposts that share one Redis are one service', async t => {
  const redis = await RedisServer.start(t)
  const env = { REDIS_URL: redis.url, SESSION_SECRET: 'one secret for all of the machines', RATE_LIMIT_MAX: '60' }
  const here = await Cluster.start(t, env)
  const there = await Cluster.start(t, { ...env, BALANCERS: '0' })

  await t.test('an account made at one signs in at the other', async t => {
    const someone = await member(here.url)
    t.match(await register(there.url, someone), { status: 409 })
    const { token, cookie } = await signIn(there.url, someone)
    for (const { url } of [here, there]) {
      for (const headers of [bearer(someone.token), bearer(token), { cookie: someone.cookie }, { cookie }]) {
        const me = await ask(url, '/me', { headers })
        t.equal(me.status, 200)
        t.equal(jsonOf(me)['username'], someone.username)
      }
    }
  })

  await t.test('a sign-out at one ends it at the other', async t => {
    const first = await member(here.url)
    t.match(await ask(there.url, '/logout', { method: 'POST', headers: bearer(first.token) }), { status: 204 })
    const second = await signIn(there.url, first)
    t.match(await ask(here.url, '/logout', { method: 'POST', headers: { cookie: second.cookie } }), { status: 204 })
    for (const { url } of [here, there]) {
      for (const { token, cookie } of [first, second]) {
        t.match(await ask(url, '/me', { headers: bearer(token) }), { status: 401 })
        t.match(await ask(url, '/me', { headers: { cookie } }), { status: 401 })
      }
    }
  })

  await t.test('a client’s limit counts at both', async t => {
    const from = '127.0.5.1'
    const asked = Array.from({ length: 64 }, (_, index) => ask((index % 2 === 0 ? here : there).url, '/me', { from }))
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    t.equal(statuses.filter(status => status === 401).length, 60)
    t.equal(statuses.filter(status => status === 429).length, 4)
    for (const { url } of [here, there]) t.match(await ask(url, '/me', { from }), { status: 429 })
  })

  await t.test('a stop of one does not affect the other', async t => {
    t.match(await here.stop(), { code: 0 })
    t.match(await ask(there.url, '/health/ready'), { status: 200 })
    await member(there.url)
  })
})

void t.test('with a shared Redis and a secret of its own, the start summary names what is missing', async t => {
  const redis = await RedisServer.start(t)
  const cluster = await Cluster.start(t, { REDIS_URL: redis.url, WORKERS: '1' })
  await cluster.printed(/^ {2}note .*SESSION_SECRET/)
})
