import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import type { ClientIdentity } from '#balancer'
import {
  requestHead,
  requestHeaders,
  responseHeaders,
  rewriteRequestHeaders,
} from '#balancer/transports/forwarded-headers.js'
import { rewriteTrailers } from '#balancer/transports/trailers.js'

const client: ClientIdentity = { address: '192.0.2.7', port: 4711, protocol: 'https', forwardedFor: '192.0.2.7' }
const stranger: ClientIdentity = { address: '192.0.2.7', port: 4711, protocol: 'https' }
const options = { identityKey: 'key' }

/** A request with these headers, as Node makes it. */
function sent(headers: Record<string, string>): { headers: Record<string, string>; rawHeaders: string[] } {
  return { headers, rawHeaders: Object.entries(headers).flat() }
}

void t.test('a request is forwarded without its hop-by-hop headers', t => {
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
  t.same(requestHeaders(sent(given), client, 'id-1', options), {
    host: 'a.example',
    'content-length': '3',
    accept: '*/*',
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'a.example',
    'x-forwarded-port': '443',
    'x-real-ip': '192.0.2.7',
    'x-request-id': 'id-1',
    'x-outpost-client': 'key https 4711 192.0.2.7',
  })
  t.same(given, before, 'the headers of the request are not changed')
  t.end()
})

void t.test('the app does not get the cookies of the edge', t => {
  const token = 'outpost_preview=r2.seal'
  const cases: Array<[cookie: string, left: string | undefined]> = [
    [token, undefined],
    [`a=b; ${token}`, 'a=b'],
    [`${token}; a=b;c=d`, 'a=b;c=d'],
    [`a=b; ${token}; c="d"; ${token}`, 'a=b; c="d"'],
    [`outpost_release=r2.17.seal; a=b; ${token}`, 'a=b'],
    ['a=outpost_release=; x_outpost_release=y', 'a=outpost_release=; x_outpost_release=y'],
    ['a=outpost_preview=; my_outpost_preview=x', 'a=outpost_preview=; my_outpost_preview=x'],
  ]
  for (const [cookie, left] of cases) {
    const given = {
      headers: { host: 'a.example', cookie } as IncomingHttpHeaders,
      rawHeaders: ['Host', 'a.example', 'Cookie', cookie],
    }
    t.equal(requestHeaders(given, client, 'id', options)['Cookie'], left, cookie)
    const head = requestHead({ ...given, method: 'GET', url: '/' }, client, 'id', options)
    t.equal(/^Cookie: (.*)\r$/m.exec(head)?.[1], left, cookie)
    t.equal(given.headers.cookie, cookie, 'that of the request is not changed')
    const local: Parameters<typeof rewriteRequestHeaders>[0] = { ...given, headersDistinct: {} }
    rewriteRequestHeaders(local, client, 'id')
    t.equal(local.headers.cookie, left)
    t.strictSame(local.rawHeaders, ['Host', 'a.example', ...(left === undefined ? [] : ['Cookie', left])])
  }
  const twice = { headers: { cookie: `${token}; a=b` }, rawHeaders: ['Cookie', token, 'cookie', 'a=b'] }
  t.equal(requestHeaders(twice, client, 'id', options)['cookie'], 'a=b', 'in two headers')
  t.end()
})

void t.test('a client cannot set or remove the headers of the edge', t => {
  const forged = {
    host: 'a.example',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    'x-real-ip': '203.0.113.9',
    'x-request-id': 'theirs',
    'x-outpost-client': 'key https 0 203.0.113.9',
    connection: 'x-outpost-client, x-real-ip, x-request-id',
  }
  const headers = requestHeaders(sent(forged), client, 'ours', options)
  t.same(headers, {
    host: 'a.example',
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'a.example',
    'x-forwarded-port': '443',
    'x-real-ip': '192.0.2.7',
    'x-request-id': 'ours',
    'x-outpost-client': 'key https 4711 192.0.2.7',
  })
  t.end()
})

void t.test('headers of a trusted proxy beside the address are passed on', t => {
  const given = { host: 'a', 'x-forwarded-prefix': '/shop', forwarded: 'for=192.0.2.7', traceparent: '00-1-2-03' }
  t.match(requestHeaders(sent(given), client, 'id', options), { ...given, 'x-forwarded-port': '443' })
  const behind = requestHeaders(sent({ host: 'a' }), { ...client, forwardedPort: '8443' }, 'id', options)
  t.equal(behind['x-forwarded-port'], '8443')
  t.end()
})

void t.test('without a trusted proxy an app learns about its client from the socket alone', t => {
  const given = { host: 'a', 'x-forwarded-for': '203.0.113.9', 'x-forwarded-x': '1', 'x-real-ip': 'x', forwarded: 'x' }
  t.strictSame(Object.keys(requestHeaders(sent(given), stranger, 'id', options)), [
    'x-outpost-client',
    'host',
    'x-request-id',
  ])
  t.end()
})

void t.test('a local app sees the same headers as a target', t => {
  const wanted = { host: 'a.example', 'transfer-encoding': 'chunked', upgrade: 'websocket', accept: '*/*' }
  const headers = {
    ...wanted,
    connection: 'Upgrade, X-Named, Cookie, Transfer-Encoding',
    te: 'trailers',
    'proxy-authorization': 'Basic eA==',
    'x-named': '1',
    cookie: 'a=b',
    'x-forwarded-for': '203.0.113.9',
    'x-outpost-client': 'key https 0 203.0.113.9',
  }
  const rawHeaders = Object.entries(headers).flatMap(([name, value]) => [name.toUpperCase(), value])
  const request = { headers, rawHeaders, headersDistinct: {} }
  rewriteRequestHeaders(request, client, 'ours')
  t.same(request.headers, {
    ...wanted,
    connection: headers.connection,
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'a.example',
    'x-forwarded-port': '443',
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

void t.test('there is no X-Forwarded-Host without a Host header', t => {
  const headers = { 'x-forwarded-host': 'evil.example' }
  const request = { headers, rawHeaders: ['X-Forwarded-Host', 'evil.example'], headersDistinct: {} }
  rewriteRequestHeaders(request, client, 'id')
  t.notOk('x-forwarded-host' in request.headers)
  t.same(request.rawHeaders, [])
  t.notOk('x-forwarded-host' in requestHeaders(sent({ 'x-forwarded-host': 'evil.example' }), client, 'id', options))
  t.end()
})

void t.test('an answer keeps its headers, its own X-Request-Id too, except the hop-by-hop ones', t => {
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
    ...['X-Request-Id', 'theirs', 'ETag', '"x"'],
  ])
  t.end()
})

void t.test('naming Content-Length in Connection does not remove it', t => {
  const raw = ['Content-Length', '3', 'Connection', 'content-length']
  t.same(responseHeaders(raw, 'content-length', 'id'), ['Content-Length', '3', 'X-Request-Id', 'id'])
  t.end()
})

void t.test('headers keep their order and their letters, and repeated ones are repeated', t => {
  const rawHeaders = ['HOST', 'a', 'X-B', '1', 'x-b', '2', 'Content-Type', 'a/b', 'CONTENT-TYPE', 'c/d', 'X-B', '3']
  const headers = { host: 'a', 'x-b': '1, 2, 3', 'content-type': 'a/b' }
  t.same(Object.entries(requestHeaders({ headers, rawHeaders }, stranger, 'id', options)).slice(1, -1), [
    ['HOST', 'a'],
    ['X-B', ['1', '2', '3']],
    ['Content-Type', ['a/b', 'c/d']],
  ])
  const forged = [
    'X-FORWARDED-FOR',
    'x',
    'X-Forwarded-Any',
    'x',
    'X-Outpost-CLIENT',
    'x',
    'EXPECT',
    'x',
    'X-Real-Ip',
    'x',
  ]
  const dropped = requestHeaders({ headers: { 'x-forwarded-for': 'x' }, rawHeaders: forged }, stranger, 'id', options)
  t.same(Object.keys(dropped), ['x-outpost-client', 'x-request-id'])
  t.end()
})

void t.test('the envelope comes before the headers of the client', t => {
  const forwarded = requestHeaders(sent({ host: 'a', accept: '*/*' }), client, 'id', options)
  t.equal(Object.keys(forwarded)[0], 'x-outpost-client')
  t.end()
})

void t.test('a client cannot set the headers of the edge in a trailer', t => {
  const rawTrailers = ['X-Outpost-Client', 'key http 0 203.0.113.9', 'X-Real-IP', '203.0.113.9', 'Checksum', 'abc']
  const trailers = { 'x-outpost-client': 'key http 0 203.0.113.9', 'x-real-ip': '203.0.113.9', checksum: 'abc' }
  const request = { trailers, rawTrailers, trailersDistinct: {} }
  rewriteTrailers(request, stranger)
  t.same(request.trailers, { checksum: 'abc' })
  t.same(request.rawTrailers, ['Checksum', 'abc'])
  t.same({ ...request.trailersDistinct }, { checksum: ['abc'] })
  t.end()
})

void t.test('names of object properties are ordinary header names', t => {
  const headers = JSON.parse('{"__proto__":"x","constructor":"y","host":"a","connection":"toString"}') as Record<
    string,
    string
  >
  const forwarded = requestHeaders(sent(headers), client, 'id', options)
  t.equal(forwarded['constructor'], 'y')
  t.equal(Object.getPrototypeOf(forwarded), Object.prototype)
  const twice = {
    headers: { constructor: 'z, y' },
    rawHeaders: ['__proto__', 'x', '__proto__', 'y', 'constructor', 'z', 'constructor', 'y'],
  }
  const repeated = requestHeaders(twice, client, 'id', options)
  t.same(repeated['constructor'], ['z', 'y'])
  t.equal(Object.getPrototypeOf(repeated), Object.prototype)
  t.end()
})

void t.test('thousands of named headers cost the sum of what the client sends, not the product', t => {
  // More than the default limits let in, so that the difference is plain: each of the three took seconds.
  const numbered = (name: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${name}${100_000 + i}`)
  const headersOf = (names: string[]): Record<string, string> => Object.fromEntries(names.map(name => [name, '']))
  const connection = numbered('named-', 100_000).join()
  const given = { host: 'a.example', connection, ...headersOf(numbered('other-', 10_000)) }
  const dropped = { host: 'a.example', ...headersOf(numbered('x-forwarded-', 50_000)) }
  const begun = performance.now()
  t.ok(requestHead({ ...sent(given), method: 'GET', url: '/' }, stranger, 'id', options).includes('other-100000: \r\n'))
  for (const headers of [given, dropped]) {
    const request = { ...sent({ ...headers }), headersDistinct: {} }
    rewriteRequestHeaders(request, stranger, 'id')
    t.notOk('x-forwarded-100000' in request.headers)
  }
  t.ok(performance.now() - begun < 3_000)
  t.end()
})
