import t, { type Test } from 'tap'
import { ask, bearer, jsonOf, login, member, register, signIn, somebody, type Answer } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { RedisServer } from '../helpers/redis-server.js'

/** The program promises an answer within a second. The rest is for a busy machine. */
const ANSWER_MS = 5_000

void t.test('an instance whose Redis is away serves what needs no Redis, and recovers', async t => {
  const redis = await RedisServer.notStarted(t)
  const cluster = await Cluster.start(t, { REDIS_URL: redis.url })
  const { url } = cluster
  t.ok(cluster.lines.includes(`  redis      ${redis.url}`), 'the summary names its address')
  await unavailable(t, cluster, somebody())

  await redis.start()
  await cluster.ready()
  t.ok(await canRegister(url))
})

void t.test('an instance recovers whenever Redis was away', async t => {
  const redis = await RedisServer.start(t)
  const cluster = await Cluster.start(t, { REDIS_URL: redis.url, RATE_LIMIT_MAX: '10000' })
  const { url } = cluster
  const before = cluster.supervision()
  const someone = await member(url)
  const known = async (): Promise<boolean> => {
    const answers = [
      await ask(url, '/me', { headers: bearer(someone.token) }),
      await ask(url, '/me', { headers: { cookie: someone.cookie } }),
    ]
    return answers.every(({ status }) => status === 200)
  }
  t.ok(await known())

  await t.test('an instance recovers after Redis hung', async t => {
    redis.freeze()
    await unavailable(t, cluster, someone)
    redis.thaw()
    await until(known, 'it to be well again', 10_000)
  })

  await t.test('an instance recovers after Redis is killed', async t => {
    await redis.kill()
    await unavailable(t, cluster, someone)
    await redis.start()
    await until(known, 'it to be well again', 10_000)
  })

  await t.test('reads work and writes are answered 503 while the memory of Redis is full', async t => {
    await redis.send('CONFIG', 'SET', 'maxmemory', '1')
    t.ok(await known(), 'the session is still valid')
    t.match(await ask(url, '/no/such/route'), { status: 404 })
    refusedForNow(t, await register(url, somebody()))
    refusedForNow(t, await login(url, someone))
    t.match(await ask(url, '/health'), { status: 200 })

    await redis.send('CONFIG', 'SET', 'maxmemory', '0')
    await signIn(url, someone)
    t.ok(await canRegister(url))
  })

  t.strictSame(cluster.supervision(), before, 'no process has exited')
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('an instance stops while Redis hangs', async t => {
  const redis = await RedisServer.start(t)
  const cluster = await Cluster.start(t, { REDIS_URL: redis.url, WORKERS: '1' })
  redis.freeze()
  t.match(await cluster.stop(), { code: 0 })
})

/** While Redis is away, requests that need it fail soon, and all others are served. */
async function unavailable(t: Test, { url }: Cluster, someone: { username: string; password: string }): Promise<void> {
  const options = { timeoutMs: ANSWER_MS }
  const requests = Array.from({ length: 10 }, () => [
    ask(url, '/me', options),
    ask(url, '/me', { ...options, headers: bearer('00000000-0000-4000-8000-000000000000') }),
    ask(url, '/me', { ...options, headers: { cookie: 'outpost.sid=s%3Aa.b' } }),
    ask(url, '/logout', { ...options, method: 'POST' }),
    register(url, somebody(), options),
    login(url, someone, options),
  ])
  for (const answer of await Promise.all(requests.flat())) refusedForNow(t, answer)

  t.match(await ask(url, '/health', options), { status: 200, text: 'OK' })
  const ready = await ask(url, '/health/ready', options)
  t.equal(ready.status, 503)
  t.match(jsonOf(ready), {
    status: 'unready',
    checks: { redis: { ok: false, error: undefined }, eventLoop: { ok: true } },
  })
}

function refusedForNow(t: Test, answer: Answer): void {
  t.equal(answer.status, 503)
  t.match(answer.headers, { 'retry-after': /^\d+$/, 'content-type': /^application\/problem\+json/ })
  t.match(jsonOf(answer), { code: 'REDIS_UNAVAILABLE' })
}

async function canRegister(url: string): Promise<boolean> {
  return (await register(url, somebody())).status === 201
}
