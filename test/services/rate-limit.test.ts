import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import t, { type Test } from 'tap'
import { keys } from '#src/services/keys.js'
import { createRateLimit, type RateLimitOptions } from '#src/services/rate-limit.js'
import { ask, type Answer, type AskOptions } from '../helpers/client.js'
import { RedisServer } from '../helpers/redis-server.js'

const server = await RedisServer.start(t)
const redis = await server.connect(t)

const sendLimited: RequestHandler = (_request, response) => void response.status(429).send('too many')

/** A server behind a limit, like that of a worker. `requests` sends from an address that the test chooses. */
async function worker(t: Test, options: Partial<RateLimitOptions>): Promise<(options?: AskOptions) => Promise<Answer>> {
  const app = express().set('trust proxy', true)
  const connection = await server.connect(t)
  app.use(createRateLimit(connection, { rule: t.name, max: 2, windowMs: 60_000, onLimit: sendLimited, ...options }))
  app.use((_request, response) => void response.send('served'))
  app.use(((_error, _request, response, _next) => void response.status(503).end()) as express.ErrorRequestHandler)
  const http = app.listen(0, '127.0.0.1')
  t.teardown(() => http.close())
  await once(http, 'listening')
  return options => ask(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, '/', options)
}

const from = (address: string): AskOptions => ({ headers: { 'x-forwarded-for': address } })

function count(answers: Answer[], status: number): number {
  return answers.filter(answer => answer.status === status).length
}

void t.test('exactly the limit of simultaneous requests passes, over all workers', async t => {
  const workers = [await worker(t, { max: 20 }), await worker(t, { max: 20 })]
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => workers[i % 2]!()))
  t.equal(count(answers, 200), 20)
  t.equal(count(answers, 429), 30)
})

void t.test('rules with different names count separately', async t => {
  const [one, another] = [await worker(t, { rule: 'one', max: 1 }), await worker(t, { rule: 'another', max: 1 })]
  t.strictSame([(await one()).status, (await another()).status, (await one()).status], [200, 200, 429])
})

void t.test('each IPv4 address and each IPv6 /64 has a count of its own', async t => {
  const request = await worker(t, { max: 1 })
  const statusFrom = async (address: string): Promise<number> => (await request(from(address))).status
  t.equal(await statusFrom('192.0.2.1'), 200)
  t.equal(await statusFrom('192.0.2.2'), 200)
  t.equal(await statusFrom('::ffff:192.0.2.3'), 200)
  t.equal(await statusFrom('192.0.2.3'), 429, 'the same, as a listener on both protocols tells it')
  t.equal(await statusFrom('::ffff:192.0.2.4'), 200)
  t.equal(await statusFrom('2001:db8:0:1::1'), 200)
  t.equal(await statusFrom('2001:db8:0:1:ffff::1'), 429, 'the same customer')
  t.equal(await statusFrom('2001:db8:0:2::1'), 200)
})

void t.test('the RateLimit headers tell the limit, the rest and the end of the window', async t => {
  const request = await worker(t, { max: 2 })
  const [first, second] = [await request(), await request()]
  t.match(first.headers, {
    'ratelimit-policy': '2;w=60',
    ratelimit: /^limit=2, remaining=1, reset=(60|59)$/,
    'ratelimit-limit': '2',
    'ratelimit-remaining': '1',
    'ratelimit-reset': /^(60|59)$/,
  })
  t.equal(second.headers['ratelimit-remaining'], '0')
  t.notOk('retry-after' in second.headers)
  const refused = await request()
  t.match(refused, { status: 429, text: 'too many', headers: { 'retry-after': /^(60|5\d)$/ } })
  t.match(refused.headers, { 'ratelimit-limit': '2', 'ratelimit-remaining': '0', 'ratelimit-reset': /^(60|5\d)$/ })
})

void t.test('a window begins with its first request and ends after its time', async t => {
  const request = await worker(t, { max: 1 })
  const key = keys.rateLimit(t.name, '127.0.0.1')
  await request()
  const left = await redis.pttl(key)
  t.ok(left > 50_000 && left <= 60_000, String(left))
  await redis.pexpire(key, 5_000)
  const late = await request()
  t.equal(late.status, 429)
  t.match(late.headers['retry-after'], /^[1-5]$/)
  t.ok((await redis.pttl(key)) <= 5_000, 'further requests do not make it longer')
  await redis.del(key)
  t.equal((await request()).status, 200)
})

void t.test('a counter without an expiry gets one, so no client is locked out for ever', async t => {
  const request = await worker(t, { max: 1 })
  const key = keys.rateLimit(t.name, '127.0.0.1')
  await request()
  await redis.persist(key)
  t.equal((await request()).status, 429)
  t.ok((await redis.pttl(key)) > 0)
})

void t.test('a limit of 0 turns the rule off', async t => {
  const request = await worker(t, { max: 0 })
  for (let i = 0; i < 3; i++) {
    const answer = await request()
    t.equal(answer.status, 200)
    t.notOk(Object.keys(answer.headers).some(name => name.startsWith('ratelimit')))
  }
})

void t.test('while Redis takes no writes, only reads are served, uncounted', async t => {
  const request = await worker(t, {})
  await redis.config('SET', 'maxmemory', '1')
  for (const method of ['GET', 'HEAD', 'OPTIONS']) t.equal((await request({ method })).status, 200, method)
  for (const method of ['POST', 'PUT', 'DELETE']) t.equal((await request({ method })).status, 503, method)
  await redis.config('SET', 'maxmemory', '0')
  t.equal((await request({ method: 'POST' })).headers['ratelimit-remaining'], '1')
})

void t.test('while Redis is away, no request passes the limit', async t => {
  const request = await worker(t, {})
  await server.kill()
  t.equal((await request()).status, 503)
  t.equal((await request({ method: 'POST' })).status, 503)
})
