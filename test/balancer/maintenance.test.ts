import t from 'tap'
import type { EdgeOrder } from '#balancer'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

const PAGE = '<h1>Wir sind gleich zurück</h1>'

function closed(...allowed: string[]): EdgeOrder {
  return { maintenance: { page: PAGE, retryAfterS: 90, allowed } }
}

void t.test('every client gets 503 and the page, and no target a request', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  running.balancer.setEdge(closed('192.0.2.0/24'))
  const client = await running.connect()
  const requests = [
    requestBytes('GET /page'),
    requestBytes('GET /page', ['Accept: text/html,application/xml;q=0.9']),
    requestBytes('POST /form', [], 'x'.repeat(200_000)),
  ]
  for (const request of requests) {
    const answer = await client.write(request).response()
    t.match(answer, {
      status: 503,
      headers: { 'retry-after': '90', 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
    })
    t.equal(answer.body.toString(), PAGE)
    t.ok(answer.headers['x-request-id'])
  }
  const head = await client.write(requestBytes('HEAD /')).response({ head: true })
  t.match(head, { status: 503, headers: { 'content-length': String(Buffer.byteLength(PAGE)) } })
  t.equal(target.requests.length, 0)
  running.balancer.setEdge({})
  t.equal((await client.write(requestBytes('GET /page')).response()).status, 200)
})

void t.test('a program gets a problem document, and so does an upgrade', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  running.balancer.setEdge(closed())
  const client = await running.connect()
  const answer = await client.write(requestBytes('GET /api', ['Accept: application/json'])).response()
  t.match(answer, { status: 503, headers: { 'retry-after': '90', 'content-type': 'application/problem+json' } })
  t.match(JSON.parse(answer.body.toString()), { code: 'MAINTENANCE', requestId: answer.headers['x-request-id'] })
  const socket = await (await running.connect()).write(requestBytes('GET /', UPGRADE_HEADERS)).response()
  t.match(socket, { status: 503, headers: { 'retry-after': '90' } })
  t.match(socket.body.toString(), 'MAINTENANCE')
})

void t.test('a client that is allowed reaches the targets', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { trustProxy: 1 })
  running.balancer.setEdge(closed('192.0.2.0/24', '2001:db8::1'))
  const client = await running.connect()
  const from = async (address: string): Promise<number> =>
    (await client.write(requestBytes('GET /', [`X-Forwarded-For: ${address}`])).response()).status
  t.strictSame(
    [await from('192.0.2.7'), await from('2001:db8::1'), await from('198.51.100.1'), await from('2001:db8::2')],
    [200, 200, 503, 503],
  )
})

void t.test('requests that wait when maintenance begins get the page as well', async t => {
  const running = await RunningBalancer.start(t, [], { holdMs: 20_000 })
  const clients = [await running.connect(), await running.connect()] as const
  clients[0].write(requestBytes('GET /'))
  await until(() => running.balancer.ledger().waiting === 1, 'a request to wait for a target')
  running.balancer.setEdge({ pausedUntil: Date.now() + 60_000 })
  clients[1].write(requestBytes('GET /'))
  await until(() => running.balancer.ledger().waiting === 2, 'another to wait for the end of a pause')
  running.balancer.setEdge({ pausedUntil: Date.now() + 60_000, ...closed() })
  for (const client of clients) t.equal((await client.response()).body.toString(), PAGE)
})
