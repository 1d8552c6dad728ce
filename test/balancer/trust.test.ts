import t from 'tap'
import { FakeTarget } from '../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

const claims = [
  'X-Forwarded-For: 198.51.100.1, 203.0.113.2',
  'X-Forwarded-For: 203.0.113.3',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: far.example, near.example',
]

const expected = [
  { trustProxy: 0, address: '127.0.0.1', protocol: 'http', forwardedFor: undefined, host: undefined },
  {
    trustProxy: 1,
    address: '203.0.113.3',
    protocol: 'https',
    forwardedFor: '203.0.113.3',
    host: 'near.example',
  },
  {
    trustProxy: 2,
    address: '203.0.113.2',
    protocol: 'https',
    forwardedFor: '203.0.113.2',
    host: 'far.example',
  },
]

for (const { trustProxy, address, protocol, forwardedFor, host } of expected) {
  void t.test(`with ${trustProxy} trusted hops the client is ${address}`, async t => {
    const target = await FakeTarget.start(t, 'a')
    const running = await RunningBalancer.start(t, [target], { trustProxy, identityKey: 'key' })
    const answer = await rawExchange(
      running.port,
      requestBytes('GET /', [...claims, 'X-Outpost-Client: key http 0 192.0.2.1', 'X-Request-Id: mine']),
    )
    const isBehind = trustProxy > 0
    const headers = target.requests[0]?.headers ?? {}
    t.strictSame(
      ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip'].map(name => headers[name]),
      [forwardedFor, isBehind ? protocol : undefined, host, isBehind ? address : undefined],
    )
    t.match(headers, {
      host: 'a.example',
      'x-outpost-client': new RegExp(`^key ${protocol} \\d+ ${address} 127\\.0\\.0\\.1$`),
      'x-request-id': answer.headers['x-request-id'],
    })
    t.equal(answer.headers['x-request-id'] === 'mine', isBehind, 'a trusted proxy names its requests')
  })
}

void t.test('the path is passed on as it was sent', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const paths = ['//a//b', '/a?b?c=//d', '/%2e%2e/%00', '/a/../b/./c', '/http://b.example/', '/a;b=c?', '/"<>|^`{}']
  for (const path of paths) t.equal((await rawExchange(running.port, requestBytes(`GET ${path}`))).status, 200)
  t.same(
    target.requests.map(({ url }) => url),
    paths,
  )
})

void t.test('repeated headers, cookies and the case of names reach the client unchanged', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.writeHead(200, 'Very Well', [
      ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-MiXed', '1', 'Link', '<a>', 'Link', '<b>'],
      ...['Content-Length', '0', 'Date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
    ])
    response.end()
  })
  const running = await RunningBalancer.start(t, [target])
  const answer = await rawExchange(running.port, requestBytes('GET /'))
  t.equal(answer.reason, 'Very Well')
  t.match(answer.headers, { 'set-cookie': 'a=1, b=2', link: '<a>, <b>', date: 'Thu, 01 Jan 1970 00:00:00 GMT' })
  t.ok(answer.names.includes('X-MiXed'))
  t.equal(answer.names.filter(name => name === 'Set-Cookie').length, 2)
  t.equal(answer.names.filter(name => name.toLowerCase() === 'date').length, 1)
})
