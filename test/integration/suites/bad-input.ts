import type { Test } from 'tap'
import { gzipSync } from 'node:zlib'
import { connectionsTo } from '#scripts/lib/proc.js'
import { ask, bearer, cookieOf, jsonOf, login, member, register, signIn, somebody } from '../../helpers/client.js'
import type { Cluster } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { RawConnection, rawExchange } from '../../helpers/raw-http.js'

interface Row {
  name: string
  bytes: string | Buffer
  /** The statuses that are accepted. */
  status: number[]
}

function post(path: string, body: string | Buffer, headers: string[] = []): Buffer {
  const type = headers.some(header => /^content-type:/i.test(header)) ? [] : ['Content-Type: application/json']
  const head = [`POST ${path} HTTP/1.1`, 'Host: a.example', ...type, ...headers]
  const bytes = Buffer.from(body)
  return Buffer.concat([
    Buffer.from([...head, `Content-Length: ${bytes.length}`, '', ''].join('\r\n'), 'latin1'),
    bytes,
  ])
}

function get(path: string, ...headers: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: a.example', ...headers, '', ''].join('\r\n')
}

function credentials(username: unknown, password: unknown): string {
  return JSON.stringify({ username, password })
}

const JSON_AND_LOGIN: Row[] = ['/register', '/login'].flatMap((path): Row[] => [
  { name: `${path} "{"`, bytes: post(path, '{'), status: [400] },
  { name: `${path} empty`, bytes: post(path, ''), status: [400] },
  { name: `${path} no body, no length`, bytes: `POST ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`, status: [400] },
  { name: `${path} null`, bytes: post(path, 'null'), status: [400] },
  { name: `${path} a string`, bytes: post(path, '"hello"'), status: [400] },
  { name: `${path} a list`, bytes: post(path, '[]'), status: [400] },
  {
    name: `${path} charset utf-99`,
    bytes: post(path, '{}', ['Content-Type: application/json; charset=utf-99']),
    status: [400, 415],
  },
  { name: `${path} a form`, bytes: post(path, 'username=a', ['Content-Type: text/plain']), status: [400, 415] },
  { name: `${path} 10,000 nested lists`, bytes: post(path, '['.repeat(10_000) + ']'.repeat(10_000)), status: [400] },
  { name: `${path} 10,000 nested, as name`, bytes: post(path, nestedName(10_000)), status: [400] },
  { name: `${path} 2 MB`, bytes: post(path, credentials('a', 'x'.repeat(2_000_000))), status: [413] },
  {
    name: `${path} gzip bomb`,
    bytes: post(path, gzipSync(Buffer.alloc(30_000_000, ' ')), ['Content-Encoding: gzip']),
    status: [400, 413],
  },
  { name: `${path} not gzip`, bytes: post(path, '{}', ['Content-Encoding: gzip']), status: [400] },
  { name: `${path} unknown coding`, bytes: post(path, '{}', ['Content-Encoding: zopfli']), status: [415] },
  { name: `${path} broken UTF-8`, bytes: post(path, Buffer.from([0x7b, 0xff, 0xfe, 0x7d])), status: [400] },
  { name: `${path} password a number`, bytes: post(path, credentials('alice', 123456789)), status: [400] },
  { name: `${path} password a list`, bytes: post(path, credentials('alice', ['long enough'])), status: [400] },
  { name: `${path} password null`, bytes: post(path, credentials('alice', null)), status: [400] },
  { name: `${path} password an object`, bytes: post(path, credentials('alice', { $ne: '' })), status: [400] },
  { name: `${path} password of 73 bytes`, bytes: post(path, credentials('alice', 'x'.repeat(73))), status: [400] },
  { name: `${path} 37 é, 74 bytes`, bytes: post(path, credentials('alice', 'é'.repeat(37))), status: [400] },
  { name: `${path} NUL in the password`, bytes: post(path, credentials('alice', 'secret\0secret')), status: [400] },
  { name: `${path} name a list`, bytes: post(path, credentials(['alice'], 'long enough')), status: [400] },
  { name: `${path} empty name`, bytes: post(path, credentials('', 'long enough')), status: [400] },
  { name: `${path} long name`, bytes: post(path, credentials('x'.repeat(65), 'long enough')), status: [400] },
  { name: `${path} spaces`, bytes: post(path, credentials(' alice ', 'long enough')), status: [400] },
  { name: `${path} line ends`, bytes: post(path, credentials('al\r\nice', 'long enough')), status: [400] },
  { name: `${path} braces`, bytes: post(path, credentials('a}{b', 'long enough')), status: [400] },
  { name: `${path} hidden letters`, bytes: post(path, credentials('ali\u200bce', 'long enough')), status: [400] },
])

function nestedName(depth: number): string {
  return `{"username":${'['.repeat(depth)}${']'.repeat(depth)},"password":"long enough"}`
}

const AUTHORIZATION: Row[] = [
  { name: 'no credentials', bytes: get('/me'), status: [401] },
  { name: 'Bearer alone', bytes: get('/me', 'Authorization: Bearer'), status: [401] },
  { name: 'Bearer and a space', bytes: get('/me', 'Authorization: Bearer '), status: [401] },
  { name: 'Bearer of 8 kB', bytes: get('/me', `Authorization: Bearer ${'a'.repeat(8_192)}`), status: [401] },
  { name: 'Bearer no-uuid', bytes: get('/me', 'Authorization: Bearer *'), status: [401] },
  { name: 'Basic', bytes: get('/me', 'Authorization: Basic YTpi'), status: [401] },
  { name: 'unsigned cookie', bytes: get('/me', 'Cookie: outpost.sid=abcdefgh'), status: [401] },
  { name: 'forged cookie', bytes: get('/me', 'Cookie: outpost.sid=s%3Aabcdefgh.AAAAAAAAAAAA'), status: [401] },
  { name: 'cookie that is no URL text', bytes: get('/me', 'Cookie: outpost.sid=%zz; =; ;;'), status: [401] },
]

const RAW_HTTP: Row[] = [
  {
    name: 'content-length with chunked',
    bytes: post('/login', '0\r\n\r\n', ['Transfer-Encoding: chunked']),
    status: [400],
  },
  { name: 'two content-lengths', bytes: post('/login', '{}', ['Content-Length: 3']), status: [400] },
  { name: 'a space before the colon', bytes: get('/health', 'Transfer-Encoding : chunked'), status: [400] },
  { name: 'transfer-encoding xchunked', bytes: get('/health', 'Transfer-Encoding: xchunked'), status: [400] },
  {
    name: 'HTTP/1.0 with chunked',
    bytes: 'POST /login HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    status: [400],
  },
  { name: 'a folded header', bytes: get('/health', 'X-Folded: a\r\n b'), status: [400] },
  { name: 'bare LF', bytes: 'GET /health HTTP/1.1\nHost: a\n\n', status: [400] },
  { name: 'bare CR in a value', bytes: get('/health', 'X-Bare: a\rb'), status: [400] },
  { name: 'NUL in a value', bytes: get('/health', 'X-Nul: a\0b'), status: [400] },
  {
    name: 'chunk size 0x5',
    bytes: 'POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n',
    status: [400],
  },
  { name: 'two hosts', bytes: get('/health', 'Host: b.example'), status: [400] },
  { name: 'no host', bytes: 'GET /health HTTP/1.1\r\n\r\n', status: [400] },
  { name: 'a header of 17 kB', bytes: get('/health', `X-Long: ${'a'.repeat(17 * 1024)}`), status: [431] },
  { name: 'a URL of 17 kB', bytes: get(`/${'a'.repeat(17 * 1024)}`), status: [431] },
  { name: '3,000 short headers', bytes: get('/health', ...Array<string>(3_000).fill('a: b')), status: [431] },
  { name: 'GET http://[::1', bytes: get('http://[::1'), status: [400] },
  {
    name: 'the same as an upgrade',
    bytes: get('http://[::1', 'Connection: Upgrade', 'Upgrade: websocket'),
    status: [400],
  },
  {
    name: 'an upgrade that nobody takes',
    bytes: get('/no-socket', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'),
    status: [404],
  },
  { name: 'TRACE', bytes: 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', status: [405] },
  { name: 'CONNECT', bytes: 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', status: [405] },
  { name: 'Expect: x', bytes: get('/health', 'Expect: x'), status: [417] },
  { name: 'a header __proto__', bytes: get('/health', '__proto__: x'), status: [200] },
  { name: 'HTTP/2 preface', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: [400, 405] },
  { name: 'TLS hello', bytes: Buffer.from('16030100a5010000a10303', 'hex'), status: [400] },
]

/** Malformed and hostile requests, on a cluster of any mode without a rate limit. */
export async function badInputSuite(t: Test, cluster: Cluster): Promise<void> {
  const { url, port } = cluster
  const alice = await member(url)
  const before = cluster.supervision()

  for (const { name, bytes, status } of [...JSON_AND_LOGIN, ...AUTHORIZATION, ...RAW_HTTP]) {
    await t.test(`a bad request is answered and ends nothing else: ${name}`, async t => {
      const answer = await rawExchange(port, bytes)
      t.ok(status.includes(answer.status), `${answer.status} is one of ${status.join(', ')}`)
      t.match(answer.headers, { 'x-request-id': /./ })
      if (answer.status >= 400) t.match(answer.headers, { 'content-type': /^application\/problem\+json/ })
      t.match(await ask(url, '/health'), { status: 200 }, 'the next good request is served')
    })
  }

  await t.test('a doubled Authorization header signs nobody in', async t => {
    const header = `Authorization: Bearer ${alice.token}`
    t.match(await rawExchange(port, get('/me', header)), { status: 200 })
    t.match(await rawExchange(port, get('/me', header, header)), { status: 401 })
    t.match(await rawExchange(port, get('/me', `${header}, Bearer ${alice.token}`)), { status: 401 })
  })

  await t.test('other fields of a body than name and password are ignored', async t => {
    const { username, password } = somebody()
    const body = `{"username":"${username}","password":"${password}","role":"admin","__proto__":{"admin":true}}`
    const registered = await rawExchange(port, post('/register', body))
    t.equal(registered.status, 201)
    const { token } = await signIn(url, { username, password })
    const me = await ask(url, '/me', { headers: bearer(token) })
    t.strictSame(Object.keys(jsonOf(me)).sort(), ['createdAt', 'username'])
  })

  await t.test('all 72 bytes of a password count', async t => {
    const { username } = somebody()
    const password = 'x'.repeat(71)
    t.match(await register(url, { username, password: `${password}1` }), { status: 201 })
    t.match(await login(url, { username, password: `${password}2` }), { status: 401 })
    t.match(await login(url, { username, password: `${password}1` }), { status: 200 })
  })

  await t.test('a session id that the client chose is not used', async t => {
    const planted = 's%3Aplanted-session-id.c2lnbmF0dXJl'
    for (const cookie of [`outpost.sid=${planted}`, 'outpost.sid=planted', alice.cookie]) {
      const answer = await login(url, alice, { headers: { cookie } })
      t.equal(answer.status, 200)
      t.match(cookieOf(answer), /^outpost\.sid=s%3A/)
      t.not(cookieOf(answer), cookie)
      t.notMatch(cookieOf(answer), 'planted')
    }
  })

  await t.test('a page of another origin cannot act with a cookie', async t => {
    const { cookie } = await signIn(url, alice)
    const host = new URL(url).host
    const logout = (headers: Record<string, string>): Promise<{ status: number }> =>
      ask(url, '/logout', { method: 'POST', headers: { cookie, ...headers } })
    t.match(await logout({ origin: 'https://evil.example' }), { status: 403 })
    t.match(await logout({ origin: 'null' }), { status: 403 })
    t.match(await logout({ origin: `https://${host}.evil.example` }), { status: 403 })
    t.match(await logout({ 'sec-fetch-site': 'cross-site' }), { status: 403 })
    t.match(await logout({ 'sec-fetch-site': 'same-site' }), { status: 403 })
    t.match(await ask(url, '/me', { headers: { cookie, origin: 'https://evil.example' } }), { status: 200 })
    t.match(await logout({ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }), { status: 204 })
  })

  await t.test('a client that leaves in the middle of its body frees its connection', async t => {
    for (const body of ['', '{"u']) {
      const connection = await RawConnection.open(port)
      connection.write(
        `POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n`,
      )
      connection.write(body).reset()
    }
    t.match(await ask(url, '/health'), { status: 200 })
  })

  t.strictSame(cluster.supervision(), before, 'no process has exited')
  await until(() => connectionsTo(port) === 0, 'all connections to be closed', 10_000)
}
