import t from 'tap'
import {
  identify,
  requestHeaders,
  responseHeaders,
  rewriteRequestHeaders,
  rewriteTrailers,
  type ClientIdentity,
} from '#balancer/edge/forwarded-headers.js'

const client: ClientIdentity = { address: '192.0.2.7', port: 4711, protocol: 'https', forwardedFor: '192.0.2.7' }
const peer = { remoteAddress: '192.0.2.1', remotePort: 5001 }
const edge = { identityKey: 'key', trustProxy: 0 }

void t.test('without trust the client is the peer, whatever it says', t => {
  const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }
  t.same(identify(peer, headers, 0), { address: '192.0.2.1', port: 5001, protocol: 'http', forwardedFor: '192.0.2.1' })
  t.equal(identify({ remoteAddress: '192.0.2.1', encrypted: true }, {}, 0).protocol, 'https')
  t.end()
})

void t.test('an IPv4 address that is mapped into IPv6 is given as IPv4', t => {
  t.equal(identify({ remoteAddress: '::ffff:192.0.2.1' }, {}, 0).address, '192.0.2.1')
  t.equal(identify({ remoteAddress: '2001:db8::1' }, {}, 0).address, '2001:db8::1')
  t.equal(identify({}, {}, 0).address, '', 'the peer is gone already')
  t.end()
})

void t.test('with n trusted hops the client is the n-th from the right', t => {
  const headers = { 'x-forwarded-for': 'forged, 203.0.113.9,198.51.100.2', 'x-forwarded-proto': 'http, https' }
  const one = identify(peer, headers, 1)
  t.same(one, { address: '198.51.100.2', port: 0, protocol: 'https', forwardedFor: '198.51.100.2, 192.0.2.1' })
  const two = identify(peer, headers, 2)
  t.equal(two.address, '203.0.113.9')
  t.equal(two.forwardedFor, '203.0.113.9, 198.51.100.2, 192.0.2.1')
  t.end()
})

void t.test('so it is with the host that was asked for', t => {
  const headers = { host: 'a.example', 'x-forwarded-host': 'forged.example, far.example,near.example' }
  t.equal(identify(peer, headers, 0).forwardedHost, undefined)
  t.equal(identify(peer, headers, 1).forwardedHost, 'near.example')
  t.equal(identify(peer, headers, 2).forwardedHost, 'far.example')
  t.equal(identify(peer, headers, 9).forwardedHost, 'forged.example')
  t.equal(identify(peer, { ...headers, 'x-forwarded-host': ' , ' }, 1).forwardedHost, undefined)
  t.end()
})

void t.test('the port that some proxies add makes nobody another client', t => {
  for (const [written, address] of [
    ['203.0.113.9:4711', '203.0.113.9'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[::ffff:203.0.113.9]:1', '203.0.113.9'],
    ['2001:db8::1', '2001:db8::1'],
  ] as const) {
    t.equal(identify(peer, { 'x-forwarded-for': written }, 1).address, address)
  }
  t.end()
})

void t.test('an entry that is no address is not believed, nor what stands before it', t => {
  for (const [written, address] of [
    ['unknown', '192.0.2.1'],
    ['<script>', '192.0.2.1'],
    ['203.0.113.9, _hidden', '192.0.2.1'],
    ['203.0.113.9, 1.2.3.400, 198.51.100.2', '198.51.100.2'],
    ['203.0.113.9 http 0 203.0.113.8', '192.0.2.1'],
  ] as const) {
    const found = identify(peer, { 'x-forwarded-for': written }, 3)
    t.equal(found.address, address, written)
    t.equal(found.forwardedFor.split(', ')[0], address)
  }
  t.end()
})

void t.test('fewer entries than hops: the leftmost there is, or the peer', t => {
  t.equal(identify(peer, { 'x-forwarded-for': '203.0.113.9' }, 2).address, '203.0.113.9')
  t.equal(identify(peer, {}, 2).address, '192.0.2.1')
  t.equal(identify(peer, { 'x-forwarded-for': ' , ' }, 1).forwardedFor, '192.0.2.1')
  t.equal(identify(peer, { 'x-forwarded-proto': 'gopher' }, 1).protocol, 'http')
  t.end()
})

void t.test('a request goes on without what belongs to its connection', t => {
  const given = {
    host: 'a.example',
    connection: 'Keep-Alive, X-Named, Cookie, Host, Content-Length, X-Forwarded-For',
    'keep-alive': 'timeout=5',
    'proxy-connection': 'keep-alive',
    'proxy-authorization': 'Basic eA==',
    te: 'trailers',
    trailer: 'x',
    'transfer-encoding': 'chunked',
    upgrade: 'h2c',
    expect: '100-continue',
    'x-named': '1',
    cookie: 'a=b',
    'content-length': '3',
    accept: '*/*',
  }
  const before = { ...given }
  t.same(requestHeaders(given, client, 'id-1', edge), {
    host: 'a.example',
    'content-length': '3',
    accept: '*/*',
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'a.example',
    'x-real-ip': '192.0.2.7',
    'x-request-id': 'id-1',
    'x-outpost-client': 'key https 4711 192.0.2.7',
  })
  t.same(given, before, 'the headers of the request are left as they are')
  t.end()
})

void t.test('nobody but the edge speaks through its own headers', t => {
  const forged = {
    host: 'a.example',
    forwarded: 'for=203.0.113.9',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-port': '1',
    'x-forwarded-prefix': '/admin',
    'x-real-ip': '203.0.113.9',
    'x-request-id': 'theirs',
    'x-outpost-client': 'key https 0 203.0.113.9',
    connection: 'x-outpost-client, x-real-ip, forwarded, x-request-id',
  }
  const headers = requestHeaders(forged, client, 'ours', edge)
  t.same(headers, {
    host: 'a.example',
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'a.example',
    'x-real-ip': '192.0.2.7',
    'x-request-id': 'ours',
    'x-outpost-client': 'key https 4711 192.0.2.7',
  })
  t.end()
})

void t.test('what a trusted proxy says beyond that goes on', t => {
  const trusting = { ...edge, trustProxy: 1 }
  const given = { host: 'a', 'x-forwarded-prefix': '/shop', 'x-forwarded-port': '8443' }
  const headers = requestHeaders(given, client, 'id', trusting)
  t.equal(headers['x-forwarded-prefix'], '/shop')
  t.notOk('x-forwarded-port' in headers)
  t.end()
})

void t.test('an app that is handed the request itself sees the same of it', t => {
  const wanted = { host: 'a.example', 'transfer-encoding': 'chunked', upgrade: 'websocket', accept: '*/*' }
  const headers = {
    ...wanted,
    connection: 'Upgrade, X-Named, Cookie, Transfer-Encoding',
    te: 'trailers',
    'proxy-authorization': 'Basic eA==',
    'x-named': '1',
    cookie: 'a=b',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-ssl': 'on',
    'x-outpost-client': 'key https 0 203.0.113.9',
  }
  const rawHeaders = Object.entries(headers).flatMap(([name, value]) => [name.toUpperCase(), value])
  const request = { headers, rawHeaders, headersDistinct: {} }
  rewriteRequestHeaders(request, client, 'ours', edge)
  t.same(request.headers, {
    ...wanted,
    connection: headers.connection,
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'a.example',
    'x-real-ip': '192.0.2.7',
    'x-request-id': 'ours',
  })
  t.same(
    request.rawHeaders.filter((_, i) => i % 2 === 0),
    ['HOST', 'TRANSFER-ENCODING', 'UPGRADE', 'ACCEPT', 'CONNECTION'],
  )
  t.same(Object.keys(request.headersDistinct), ['host', 'transfer-encoding', 'upgrade', 'accept', 'connection'])
  t.end()
})

void t.test('without a Host header there is no X-Forwarded-Host either', t => {
  const headers = { 'x-forwarded-host': 'evil.example' }
  const request = { headers, rawHeaders: ['X-Forwarded-Host', 'evil.example'], headersDistinct: {} }
  rewriteRequestHeaders(request, client, 'id', edge)
  t.notOk('x-forwarded-host' in request.headers)
  t.same(request.rawHeaders, [])
  t.notOk('x-forwarded-host' in requestHeaders({ 'x-forwarded-host': 'evil.example' }, client, 'id', edge))
  t.end()
})

void t.test('an answer keeps its headers as they were, but for those of its connection', t => {
  const raw = [
    'Set-Cookie',
    'a=1',
    'set-cookie',
    'b=2',
    'Connection',
    'X-Gone, close',
    'X-Gone',
    '1',
    'Keep-Alive',
    'x',
  ]
  raw.push('Transfer-Encoding', 'chunked', 'X-Request-Id', 'theirs', 'ETag', '"x"', 'Trailer', 'x', 'Upgrade', 'h2c')
  t.same(responseHeaders(raw, 'X-Gone, close', 'ours'), [
    ...['Set-Cookie', 'a=1', 'set-cookie', 'b=2'],
    ...['ETag', '"x"', 'X-Request-Id', 'ours'],
  ])
  t.end()
})

void t.test('an answer cannot name its length away', t => {
  const raw = ['Content-Length', '3', 'Connection', 'content-length']
  t.same(responseHeaders(raw, 'content-length', 'id'), ['Content-Length', '3', 'X-Request-Id', 'id'])
  t.end()
})

void t.test('the envelope comes before all that the client sent', t => {
  const forwarded = requestHeaders({ host: 'a', accept: '*/*' }, client, 'id', edge)
  t.equal(Object.keys(forwarded)[0], 'x-outpost-client')
  t.end()
})

void t.test('a trailer cannot say what a header may not', t => {
  const rawTrailers = ['X-Outpost-Client', 'key http 0 203.0.113.9', 'X-Real-IP', '203.0.113.9', 'Checksum', 'abc']
  const trailers = { 'x-outpost-client': 'key http 0 203.0.113.9', 'x-real-ip': '203.0.113.9', checksum: 'abc' }
  const request = { trailers, rawTrailers, trailersDistinct: {} }
  rewriteTrailers(request, edge)
  t.same(request.trailers, { checksum: 'abc' })
  t.same(request.rawTrailers, ['Checksum', 'abc'])
  t.same({ ...request.trailersDistinct }, { checksum: ['abc'] })
  t.end()
})

void t.test('names that every object has are headers like any other', t => {
  const headers = JSON.parse('{"__proto__":"x","constructor":"y","host":"a","connection":"toString"}') as Record<
    string,
    string
  >
  const forwarded = requestHeaders(headers, client, 'id', edge)
  t.equal(forwarded['constructor'], 'y')
  t.equal(Object.getPrototypeOf(forwarded), Object.prototype)
  t.end()
})
