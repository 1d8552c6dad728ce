import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import type { ServerOptions } from 'socket.io'
import t, { type Test } from 'tap'
import { Realtime } from '#src/services/realtime.js'
import { createRedis } from '#src/services/redis.js'
import { ClientShares } from '#src/worker/client-shares.js'
import { ask, jsonOf, type AskOptions } from '../helpers/client.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'

const POLL = '/socket.io/?EIO=4&transport=polling'

interface Served {
  realtime: Realtime
  get: (options?: AskOptions, more?: string) => ReturnType<typeof ask>
}

/** Realtime of worker 7 on a port of its own, with a Redis that is away. */
async function serve(
  t: Test,
  options: Partial<ServerOptions> = {},
  upstreamTimeoutMs = 30_000,
  maxSessions = 1_000,
): Promise<Served> {
  const log = pino({ level: 'silent' })
  const address = { path: `${temporaryFolder(t)}/nobody.sock` }
  const redis = createRedis(address, log)
  const realtime = new Realtime({
    workerId: '7',
    redis,
    address,
    upstreamTimeoutMs,
    log,
    shares: new ClientShares(maxSessions),
  })
  realtime.io(options)
  const server = http.createServer((request, response) => realtime.handleRequest(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    realtime.stop()
    redis.disconnect()
    server.close().closeAllConnections()
  })
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { realtime, get: (options, more = '') => ask(base, POLL + more, options) }
}

void t.test('realtime owns its path once io() was called', t => {
  const log = pino({ level: 'silent' })
  const address = { path: `${temporaryFolder(t)}/nobody.sock` }
  const redis = createRedis(address, log)
  const realtime = new Realtime({
    workerId: '7',
    redis,
    address,
    upstreamTimeoutMs: 1_000,
    log,
    shares: new ClientShares(10),
  })
  t.teardown(() => {
    realtime.stop()
    redis.disconnect()
  })
  const owns = (url: string): boolean => realtime.owns({ url } as http.IncomingMessage)
  t.notOk(owns(POLL))
  t.equal(realtime.io({ path: '/live' }), realtime.io(), 'there is one')
  t.ok(owns('/live/?EIO=4'))
  for (const url of ['/lively/', '/live', '/', POLL]) t.notOk(owns(url), url)
  t.end()
})

void t.test("a session id begins with the worker, and a poll ends before the balancer's timeout", async t => {
  const { realtime, get } = await serve(t, {}, 5_000)
  await realtime.joined()
  const answer = await get()
  t.equal(answer.status, 200)
  const { sid, pingInterval } = JSON.parse(answer.text.slice(1)) as { sid: string; pingInterval: number }
  t.match(sid, /^7\.[\w-]{20}$/)
  t.equal(pingInterval, 4_000)
})

void t.test('an app may allow other origins', async t => {
  const headers = { origin: 'https://friend.example' }
  t.equal((await (await serve(t)).get({ headers })).status, 403)
  const friendly = await (await serve(t, { cors: { origin: 'https://friend.example' } })).get({ headers })
  t.equal(friendly.status, 200)
  t.equal(friendly.headers['access-control-allow-origin'], 'https://friend.example')
})

void t.test('one address gets half of the sessions, and another still gets one', async t => {
  const { get } = await serve(t, {}, 30_000, 20)
  for (let i = 0; i < 10; i += 1) t.equal((await get()).status, 200)
  const answer = await get()
  t.equal(answer.status, 503)
  t.match(jsonOf(answer), { code: 'SESSIONS_OF_CLIENT' })
  t.equal((await get({ from: '127.0.0.2' })).status, 200)
})

void t.test('when addresses that came one after the other hold all sessions, a new one still gets one', async t => {
  const { realtime, get } = await serve(t, {}, 30_000, 20)
  let held = 0
  for (let last = 2; held < 20; last += 1) while ((await get({ from: `127.0.0.${last}` })).status === 200) held += 1
  t.equal((await get({ from: '127.0.0.2' })).status, 503, 'the address that has most gets no more')
  for (let i = 0; i < 4; i += 1) t.equal((await get({ from: '127.0.0.99' })).status, 200)
  t.equal((await get({ from: '127.0.0.99' })).status, 503, 'nobody gets more than a little so')
  t.equal(realtime.io().engine.clientsCount, 20)
})

void t.test('sessions that join nothing are forgotten, so that others get their places', async t => {
  const { realtime, get } = await serve(t, { connectTimeout: 50 }, 30_000, 20)
  for (let i = 0; i < 10; i += 1) t.equal((await get()).status, 200)
  t.equal((await get()).status, 503)
  await until(() => realtime.io().engine.clientsCount === 0, 'the sessions to be forgotten', 20_000)
  t.equal((await get()).status, 200)
})

void t.test('polling by scripts (JSONP) is refused', async t => {
  const { get } = await serve(t)
  const answer = await get({}, '&j=0')
  t.equal(answer.status, 400)
  t.match(jsonOf(answer), { code: 'JSONP_REFUSED' })
})

void t.test('a full worker refuses new sessions', async t => {
  const { realtime, get } = await serve(t)
  Object.assign(realtime.io().engine, { clientsCount: 10_000 })
  const answer = await get({ headers: { 'x-request-id': 'r-1' } })
  t.equal(answer.status, 503)
  t.equal(answer.headers['retry-after'], '1')
  t.match(jsonOf(answer), { code: 'SESSIONS_FULL', requestId: 'r-1' })
  for (const more of ['&xsid=1', '&sid=', '&sid=1&sid=']) t.equal((await get({}, more)).status, 503, more)
  t.equal((await get({}, '&sid=7.aaaaaaaaaaaaaaaaaaaa')).status, 400, 'a session that was there once')
})
