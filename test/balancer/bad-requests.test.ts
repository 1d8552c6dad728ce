import type { IncomingMessage } from 'node:http'
import t from 'tap'
import type { LocalApp } from '#balancer'
import { badRequests, runCase } from '../helpers/bad-requests.js'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

/** Idle connections to the target that the balancer may keep. */
const KEPT = 10

void t.test('bad requests are refused in front of a target on a socket', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const counters = { arrived: () => target.requests.length, lastHeaders: () => target.requests.at(-1)!.headers }
  for (const bad of badRequests) {
    t.same(await runCase(running.port, bad, counters), [], bad.name)
    await running.quiet()
    await until(() => target.open <= KEPT, 'the connections to the target to be back')
  }
})

void t.test('bad requests are refused in front of an app in the same process', async t => {
  const requests: IncomingMessage[] = []
  const app: LocalApp = {
    handleRequest(request, response) {
      requests.push(request)
      request.resume().once('end', () => response.end('hello'))
    },
    upgrades: () => false,
    handleUpgrade: () => undefined,
  }
  const running = await RunningBalancer.start(t, [])
  running.balancer.setLocal('self', app)
  const counters = { arrived: () => requests.length, lastHeaders: () => requests.at(-1)!.headers }
  for (const bad of badRequests) {
    t.same(await runCase(running.port, bad, counters), [], bad.name)
    await running.quiet()
  }
})

void t.test('a request that two parsers could read differently is reported once, with its sender', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const refused: Record<string, string> = {
    BAD_FRAMING: requestBytes('POST /', ['Transfer-Encoding: gzip, chunked']) + '0\r\n\r\n',
    BAD_HOST: 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    BAD_REQUEST_TARGET: requestBytes('GET http://elsewhere.example/'),
    BAD_UPGRADE: requestBytes('POST /', UPGRADE_HEADERS),
    BAD_REQUEST: 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n',
  }
  for (const bytes of Object.values(refused)) t.match(await rawExchange(running.port, bytes), { status: 400 })
  t.strictSame(
    running.refused,
    Object.keys(refused).map(code => `${code} 127.0.0.1`),
  )
  const large = requestBytes('GET /', [`X: ${'x'.repeat(100_000)}`])
  for (const bytes of [large, requestBytes('TRACE /')]) await rawExchange(running.port, bytes)
  t.equal(
    running.refused.length,
    Object.keys(refused).length,
    'a request that is only too large, or not served, is not reported',
  )
})
