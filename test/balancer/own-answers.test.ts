import t from 'tap'
import { ownHeaders, ownHeadersForHttps, type BalancerOptions } from '#balancer'
import { previewTokenOf } from '#balancer/contract/preview-token.js'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { requestBytes, type RawResponse } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

const closed = { maintenance: { page: '<img src=/logo.png>', retryAfterS: 9, allowed: [] } }
const KEY = 'key'
const TOKEN = previewTokenOf('r2', KEY)

/** Each way by which the edge answers in place of a target. */
async function ownAnswers(t: Tap, options: Partial<BalancerOptions>): Promise<Map<string, RawResponse>> {
  const target = await FakeTarget.start(t, 'a')
  const few = { maxSockets: 1, maxUpgradedPerClient: 0, holdMs: 300 }
  const running = await RunningBalancer.start(t, [target], { ...options, identityKey: KEY, edgeHealthPath: '/alive' })
  const empty = await RunningBalancer.start(t, [], { ...options, ...few })
  const answers = new Map<string, RawResponse>()
  const ask = async (where: RunningBalancer, what: string, bytes: string, others = 0): Promise<void> => {
    const client = await where.connect()
    answers.set(what, await client.write(bytes).response())
    client.destroy()
    await until(() => where.balancer.connections === others, 'the connection to close')
  }
  await ask(running, 'a request that no parser reads', 'nonsense\r\n\r\n')
  await ask(running, 'a request that the guard refuses', requestBytes('TRACE /'))
  await ask(running, 'CONNECT', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n')
  await ask(running, 'an expectation', requestBytes('GET /', ['Expect: wonders']))
  await ask(running, 'an upgrade that is refused', requestBytes('POST /', UPGRADE_HEADERS, 'body'))
  await ask(empty, 'an upgrade too many', requestBytes('GET /', UPGRADE_HEADERS))
  await ask(empty, 'a request without a target', requestBytes('GET /'))
  const busy = await empty.connect()
  busy.write(requestBytes('GET /'))
  await until(() => empty.balancer.ledger().waiting === 1, 'a request to wait')
  await ask(empty, 'a connection too many', requestBytes('GET /'), 1)
  running.balancer.setEdge({ preview: { release: 'r2', token: TOKEN } })
  await ask(running, 'a link to a preview', requestBytes(`GET /?outpost_preview=${TOKEN}`))
  running.balancer.setEdge(closed)
  await ask(running, 'a health check while closed', requestBytes('GET /alive'))
  await ask(running, 'a program in maintenance', requestBytes('GET /', ['Accept: application/json']))
  await ask(running, 'a person in maintenance', requestBytes('GET /'))
  await ask(running, 'an upgrade in maintenance', requestBytes('GET /', UPGRADE_HEADERS))
  return answers
}

type Tap = Pick<typeof t, 'teardown'>

for (const [name, own] of Object.entries({ ownHeaders, ownHeadersForHttps })) {
  void t.test(`every answer of the edge itself has the ${name}`, async t => {
    const answers = await ownAnswers(t, { ownHeaders: own })
    const statuses = [...answers.values()].map(({ status }) => status)
    t.strictSame(statuses, [400, 405, 405, 417, 400, 429, 503, 503, 303, 200, 503, 503, 503])
    for (const [what, { headers }] of answers) {
      for (const [header, value] of Object.entries(own)) {
        const isPage = what === 'a person in maintenance' && header === 'content-security-policy'
        t.equal(headers[header], isPage ? "frame-ancestors 'none'" : value, `${header} of ${what}`)
      }
      t.equal('strict-transport-security' in headers, name === 'ownHeadersForHttps', what)
    }
  })
}

void t.test("an answer of a target has none of the headers of the edge's own answers", async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { ownHeaders: ownHeadersForHttps })
  const client = await running.connect()
  for (const request of [requestBytes('GET /'), requestBytes('POST /', [], 'body')]) {
    const { status, headers } = await client.write(request).response()
    t.equal(status, 200)
    for (const header of Object.keys(ownHeadersForHttps)) t.notOk(header in headers, header)
  }
})
