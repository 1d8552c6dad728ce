import { within } from './deadline.js'
import { RawConnection, rawExchange, requestBytes, type RawResponse } from './raw-http.js'
import { UPGRADE_HEADERS } from './websocket.js'

/** A status, or `app`: any answer of the application. */
type Answer = number | 'served'

export interface BadRequest {
  name: string
  /** The bytes of the client, or its actions. */
  send: string | Buffer | ((client: RawConnection) => Promise<unknown>)
  /** The answers in their order, interim ones included. `any`: every outcome is accepted that does no harm. */
  answers: Answer[] | 'any'
  /** The server closes the connection after the last answer. */
  closes?: boolean
  /** How many requests reach an application: a number or a range. */
  arrive: number | [from: number, to: number]
  /** The expected headers of the last of them, for servers whose application can be asked. */
  arrivesAs?: (headers: Record<string, string | string[] | undefined>) => boolean
}

/** The facts about requests that have reached an application. */
export interface Counters {
  /** Requests that have reached an application so far. */
  arrived?(): number
  /** Headers of the last of them. */
  lastHeaders?(): Record<string, string | string[] | undefined>
}

const HOST = 'Host: a.example'

/** A request of exactly these lines. */
const lines = (...all: string[]): string => [...all, '', ''].join('\r\n')
const get = (...headers: string[]): string => lines('GET / HTTP/1.1', HOST, ...headers)
const post = (...headers: string[]): string => lines('POST / HTTP/1.1', HOST, ...headers)
const chunkedPost = (body: string): string => post('Transfer-Encoding: chunked') + body
const HIDDEN = get('X-Hidden: 1')
const hiddenChunk = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`

const refused = (name: string, send: BadRequest['send'], status = 400): BadRequest => {
  return { name, send, answers: [status], closes: true, arrive: 0 }
}
/** The body proves broken after the request has been forwarded in part. */
const refusedBody = (name: string, body: string): BadRequest => {
  return { ...refused(name, chunkedPost(body)), arrive: [0, 1] }
}
const served = (name: string, send: BadRequest['send'], answers: Answer[] = ['served']): BadRequest => {
  return { name, send, answers, arrive: answers.filter(answer => answer === 'served').length }
}
const harmless = (name: string, send: BadRequest['send'], arrive: BadRequest['arrive'] = [0, 2]): BadRequest => {
  return { name, send, answers: 'any', arrive }
}
const then = (...steps: ((client: RawConnection) => unknown)[]): BadRequest['send'] => {
  return async client => {
    for (const step of steps) {
      step(client)
      await new Promise(resolve => setImmediate(resolve))
    }
  }
}
const sends = (bytes: string) => (client: RawConnection) => client.write(bytes)
const resets = (client: RawConnection): void => client.reset()
const ends = (client: RawConnection): unknown => client.end()

const ambiguousLengths: BadRequest[] = [
  refused('content-length with chunked', post('Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n'),
  refused('chunked with content-length', post('Transfer-Encoding: chunked', 'Content-Length: 5') + '0\r\n\r\n'),
  refused('two content-lengths', post('Content-Length: 5', 'Content-Length: 6') + 'abcdef'),
  refused('the same content-length twice', post('Content-Length: 5', 'Content-Length: 5') + 'abcde'),
  ...['5, 5', '5,6', '+5', '-5', '0x5', '5 5', '5abc', '', '1e1', '99999999999999999999999'].map(value =>
    refused(`content-length "${value}"`, post(`Content-Length: ${value}`) + 'abcde'),
  ),
  refused('a space before the colon of transfer-encoding', post('Transfer-Encoding : chunked') + '0\r\n\r\n'),
  refused('a space before the colon of content-length', post('Content-Length : 5') + 'abcde'),
  ...[
    'xchunked',
    'chunkedx',
    'chunked, identity',
    'identity, chunked',
    'gzip, chunked',
    'chunked, chunked',
    'identity',
    '',
  ].map(value => refused(`transfer-encoding "${value}"`, post(`Transfer-Encoding: ${value}`) + '0\r\n\r\n')),
  ...['"chunked"', 'chunked;q=1', '\x0bchunked', 'chun\tked', 'chunked,'].map(value =>
    refused(`transfer-encoding ${JSON.stringify(value)}`, post(`Transfer-Encoding: ${value}`) + '0\r\n\r\n'),
  ),
  refused('two transfer-encodings', post('Transfer-Encoding: chunked', 'Transfer-Encoding: identity') + '0\r\n\r\n'),
  refused('HTTP/1.0 with chunked', lines('POST / HTTP/1.0', HOST, 'Transfer-Encoding: chunked') + '0\r\n\r\n'),
  served('a body longer than its length is the next request', post('Content-Length: 3') + 'abc' + get(), [
    'served',
    'served',
  ]),
  {
    ...served('a body longer than its length, and no request', post('Content-Length: 3') + 'abcdef\r\n\r\n', [
      'served',
      400,
    ]),
    closes: true,
  },
]

const brokenChunks: BadRequest[] = [
  refusedBody('chunk size 0x5', '0x5\r\nabcde\r\n0\r\n\r\n'),
  refusedBody('negative chunk size', '-5\r\nabcde\r\n0\r\n\r\n'),
  refusedBody('empty chunk size', '\r\nabcde\r\n0\r\n\r\n'),
  refusedBody('chunk size that overflows', 'fffffffffffffffff\r\nabcde\r\n0\r\n\r\n'),
  refusedBody('chunk size and no number', 'five\r\nabcde\r\n0\r\n\r\n'),
  refusedBody('chunk longer than its size', '3\r\nabcde\r\n0\r\n\r\n'),
  refusedBody('chunk size ended by a bare LF', '5\nabcde\r\n0\r\n\r\n'),
  refusedBody('chunk ended by a bare LF', '5\r\nabcde\n0\r\n\r\n'),
  refusedBody('chunk extension of 20 kB', `5;${'x'.repeat(20_000)}\r\nabcde\r\n0\r\n\r\n`),
  served('chunk extension', chunkedPost('5;a=b\r\nabcde\r\n0\r\n\r\n')),
  refusedBody('a trailer that would frame', '5\r\nabcde\r\n0\r\nContent-Length: 9\r\n\r\n'),
  {
    ...served('a trailer that would forge', chunkedPost('5\r\nabcde\r\n0\r\nX-Real-IP: 203.0.113.9\r\n\r\n')),
    arrivesAs: headers => headers['x-real-ip'] === undefined,
  },
]

const hiddenRequests: BadRequest[] = ['DELETE', 'OPTIONS', 'GET', 'HEAD', 'PUT', 'PATCH', 'PROPFIND'].flatMap(
  method => [
    {
      ...served(`chunked ${method} with a request in its body`, async client => {
        client.write(lines(`${method} / HTTP/1.1`, HOST, 'Transfer-Encoding: chunked') + hiddenChunk)
        await client.response({ head: method === 'HEAD' })
        client.write(get())
      }),
      arrive: 2,
    },
    {
      ...served(`${method} of known length with a request in its body`, async client => {
        client.write(lines(`${method} / HTTP/1.1`, HOST, `Content-Length: ${HIDDEN.length}`) + HIDDEN)
        await client.response({ head: method === 'HEAD' })
        client.write(get())
      }),
      arrive: 2,
    },
  ],
)

const malformed: BadRequest[] = [
  refused('obs-fold', get('X-A: b', ' c')),
  refused('obs-fold in the first header', lines('GET / HTTP/1.1', ` ${HOST}`)),
  refused('a tab before a header', get('\tX-A: b')),
  refused('bare LF', `GET / HTTP/1.1\n${HOST}\n\n`),
  refused('bare LF after one header', `GET / HTTP/1.1\r\n${HOST}\nX-A: b\r\n\r\n`),
  refused('bare CR', `GET / HTTP/1.1\r\n${HOST}\rX-A: b\r\n\r\n`),
  refused('bare CR in a value', get('X-A: b\rc')),
  refused('NUL in a value', get('X-A: b\0c')),
  refused('NUL in a name', get('X-\0A: b')),
  refused('a control character in a value', get('X-A: b\x01c')),
  refused('DEL in a value', get('X-A: b\x7fc')),
  refused('a space in a name', get('X A: b')),
  refused('a space before a colon', get('X-A : b')),
  refused('an empty name', get(': b')),
  refused('a header without a colon', get('nonsense')),
  refused('a name that is not ASCII', get('X-\xe4: b')),
  served('a value that is not ASCII', get('X-A: \xe4\xff')),
  refused('two Hosts', get('Host: b.example')),
  refused('the same Host twice', get(HOST)),
  refused('no Host', lines('GET / HTTP/1.1', 'X-A: b')),
  refused('no headers at all', lines('GET / HTTP/1.1')),
  served('no Host in HTTP/1.0', lines('GET / HTTP/1.0')),
  ...['', 'a b', 'a/b', 'user@a', 'a\\b', '<a>', 'a?b', 'a#b', '"a"'].map(host =>
    refused(`Host "${host}"`, lines('GET / HTTP/1.1', `Host: ${host}`)),
  ),
]

const requestLines: BadRequest[] = [
  refused('a target that url.parse throws at', lines('GET http://[::1 HTTP/1.1', HOST)),
  refused(
    'a target that url.parse throws at, as an upgrade',
    lines('GET http://[::1 HTTP/1.1', HOST, ...UPGRADE_HEADERS),
  ),
  served('absolute form', lines('GET http://a.example/ HTTP/1.1', HOST)),
  refused('absolute form of another host', lines('GET http://b.example/ HTTP/1.1', HOST)),
  refused('absolute form with a name', lines('GET http://user@a.example/ HTTP/1.1', HOST)),
  refused('absolute form of another scheme', lines('GET ftp://a.example/ HTTP/1.1', HOST)),
  served('asterisk form', lines('OPTIONS * HTTP/1.1', HOST)),
  refused('asterisk form of GET', lines('GET * HTTP/1.1', HOST)),
  refused('a target without a slash', lines('GET index.html HTTP/1.1', HOST)),
  refused('a query and no path', lines('GET ?a=b HTTP/1.1', HOST)),
  harmless('two spaces', lines('GET  / HTTP/1.1', HOST), [0, 1]),
  refused('a space in the target', lines('GET /a b HTTP/1.1', HOST)),
  refused('a space at the end', lines('GET / HTTP/1.1 ', HOST)),
  refused('NUL in the target', lines('GET /\0 HTTP/1.1', HOST)),
  refused('a method in small letters', lines('get / HTTP/1.1', HOST)),
  refused('an unknown method', lines('BREW / HTTP/1.1', HOST)),
  refused('an endless method', 'A'.repeat(20_000)),
  refused('HTTP/0.9', 'GET /\r\n\r\n'),
  refused('HTTP/1.2', lines('GET / HTTP/1.2', HOST)),
  refused('HTTP/2.0', lines('GET / HTTP/2.0', HOST)),
  refused('HTTP/3.0', lines('GET / HTTP/3.0', HOST)),
  refused('no protocol', lines('GET / FTP/1.1', HOST)),
  refused('TRACE', lines('TRACE / HTTP/1.1', HOST), 405),
  refused('CONNECT', lines('CONNECT a.example:443 HTTP/1.1', HOST), 405),
  refused('CONNECT to a path', lines('CONNECT / HTTP/1.1', HOST), 405),
  served('slashes and dots that a normaliser would change', lines('GET //./..//?a=b?c=//d HTTP/1.1', HOST)),
]

const tooLarge: BadRequest[] = [
  refused('a header of 17 kB', get(`X-A: ${'b'.repeat(17_000)}`), 431),
  refused('headers of 17 kB', get(...Array.from({ length: 170 }, (_, i) => `X-${i}: ${'b'.repeat(92)}`)), 431),
  refused('a URL of 17 kB', lines(`GET /${'a'.repeat(17_000)} HTTP/1.1`, HOST), 431),
  refused('3,000 short headers', get(...Array.from({ length: 3_000 }, () => 'a:b')), 431),
  refused('a header of 2 MB', get(`X-A: ${'b'.repeat(2_000_000)}`), 431),
]

const notHttp: BadRequest[] = [
  refused('HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'),
  refused('TLS hello', Buffer.from('16030100c5010000c10303', 'hex')),
  refused(
    'TLS hello and more of it',
    Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), Buffer.alloc(600, 7)]),
  ),
  refused('SSH banner', 'SSH-2.0-OpenSSH_9.6\r\n'),
  refused('PROXY protocol', `PROXY TCP4 203.0.113.9 203.0.113.1 1 2\r\n${get()}`),
  refused('zeros', Buffer.alloc(100)),
  refused('2 MB of noise', Buffer.alloc(2_000_000, 0xa5)),
  served('empty lines before a request', `\r\n\r\n${get()}`),
]

const headersWithMeaning: BadRequest[] = [
  {
    ...served(
      'Connection names headers of the edge, and a cookie',
      get('Connection: x-forwarded-for, x-real-ip, cookie', 'Cookie: a=b'),
    ),
    arrivesAs: headers => !('x-forwarded-for' in headers) && !('x-real-ip' in headers) && !('cookie' in headers),
  },
  {
    ...served('Connection names the length', post('Connection: content-length, host', 'Content-Length: 3') + 'abc'),
    arrivesAs: headers => headers['content-length'] === '3' && headers['host'] === 'a.example',
  },
  {
    ...served(
      'forged addresses',
      get(
        'X-Forwarded-For: 203.0.113.9',
        'Forwarded: for=203.0.113.9',
        'X-Real-IP: 203.0.113.9',
        'X-Outpost-Client: https 203.0.113.9',
      ),
    ),
    arrivesAs: headers => !JSON.stringify(headers).includes('203.0.113.9') && !('x-forwarded-for' in headers),
  },
  served('Expect: 100-continue', post('Expect: 100-continue', 'Content-Length: 3') + 'abc', [100, 'served']),
  refused('another expectation', post('Expect: x', 'Content-Length: 3') + 'abc', 417),
  refused('one more expectation', post('Expect: 100-continue, x', 'Content-Length: 3') + 'abc', 417),
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__'].map(name =>
    served(`a header ${name}`, get(`${name}: x`)),
  ),
  served('Connection: __proto__', get('Connection: __proto__, constructor, hasOwnProperty')),
  ...['te', 'trailer', 'keep-alive', 'proxy-connection'].map(name =>
    served(`a header ${name}`, get(`${name}: trailers`)),
  ),
]

const leavers: BadRequest[] = [
  harmless('connect and reset', then(resets), 0),
  harmless('connect and end', then(ends), 0),
  harmless('half a request line, then a reset', then(sends('GET / HT'), resets), 0),
  harmless('half a header, then the end', then(sends('GET / HTTP/1.1\r\nHos'), ends), 0),
  harmless('a request, then a reset at once', then(sends(get()), resets)),
  harmless('a request, then the end at once', then(sends(get()), ends)),
  harmless('POST of 100 bytes, 3 sent, then a reset', then(sends(post('Content-Length: 100') + 'abc'), resets)),
  harmless('POST of 100 bytes, 3 sent, then the end', then(sends(post('Content-Length: 100') + 'abc'), ends)),
  harmless(
    'repeatable POST of 100 bytes, 3 sent, then a reset',
    then(sends(post('Content-Length: 100', 'Idempotency-Key: 1') + 'abc'), resets),
    0,
  ),
  harmless('half a chunk, then a reset', then(sends(chunkedPost('a\r\nabc')), resets)),
  harmless(
    'Expect: 100-continue, then a reset',
    then(sends(post('Expect: 100-continue', 'Content-Length: 9')), resets),
  ),
  harmless('ten pipelined requests, then a reset', then(sends(get().repeat(10)), resets), [0, 10]),
]

const pipelines: BadRequest[] = [
  { ...served('a good request, then noise', `${get()}\0\x01\x02`, ['served', 400]), closes: true },
  { ...served('a good request, then two Hosts', get() + get(HOST), ['served', 400]), closes: true },
  {
    ...served('two good requests, then a bad chunk', get() + get() + chunkedPost('x\r\n'), ['served', 'served', 400]),
    closes: true,
    arrive: [2, 3],
  },
  harmless('a good request, then an offer of h2c', get() + get('Connection: Upgrade', 'Upgrade: h2c')),
  harmless('a good request, then a WebSocket', get() + get(...UPGRADE_HEADERS)),
  harmless('a good request, then CONNECT', get() + lines('CONNECT a:1 HTTP/1.1', HOST)),
  harmless('a good request, then a bad upgrade', get() + get('Content-Length: 3', ...UPGRADE_HEADERS) + 'abc'),
]

const upgrades: BadRequest[] = [
  harmless('WebSocket, reset before the 101', then(sends(get(...UPGRADE_HEADERS)), resets)),
  harmless('WebSocket, ended before the 101', then(sends(get(...UPGRADE_HEADERS)), ends)),
  harmless('WebSocket, half a head, then a reset', then(sends(get(...UPGRADE_HEADERS).slice(0, -2)), resets), 0),
  harmless('WebSocket, then noise at once', get(...UPGRADE_HEADERS) + '\0'.repeat(1_000)),
  refused('WebSocket by POST', post(...UPGRADE_HEADERS)),
  refused('WebSocket with a body', get('Content-Length: 3', ...UPGRADE_HEADERS) + 'abc'),
  refused('WebSocket with chunks', get('Transfer-Encoding: chunked', ...UPGRADE_HEADERS) + hiddenChunk),
  refused('WebSocket with two Hosts', get(HOST, ...UPGRADE_HEADERS)),
  harmless('WebSocket by absolute form', lines('GET http://a.example/ HTTP/1.1', HOST, ...UPGRADE_HEADERS)),
  served('WebSocket without Connection', get(...UPGRADE_HEADERS.slice(1))),
  served('WebSocket in HTTP/1.0', lines('GET / HTTP/1.0', HOST, ...UPGRADE_HEADERS)),
  served(
    'an offer of h2c',
    get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'),
  ),
  served('an offer of h2c with a body', post('Connection: Upgrade', 'Upgrade: h2c', 'Content-Length: 3') + 'abc'),
  served(
    'an offer of h2c with chunks',
    post('Connection: Upgrade', 'Upgrade: h2c', 'Transfer-Encoding: chunked') + hiddenChunk,
  ),
  served('an offer of h2c, and another request', get('Connection: Upgrade', 'Upgrade: h2c') + get(), [
    'served',
    'served',
  ]),
  served('an offer of something unknown', get('Connection: upgrade, x-a', 'Upgrade: quic/9', 'X-A: b')),
]

const largeBodies: BadRequest[] = [
  refused('two Hosts and 5 MB that nobody wants', post(HOST, 'Content-Length: 5000000') + 'x'.repeat(5_000_000)),
  refused(
    'TRACE and 5 MB that nobody wants',
    lines('TRACE / HTTP/1.1', HOST, 'Content-Length: 5000000') + 'x'.repeat(5_000_000),
    405,
  ),
  refused('another expectation and 5 MB', post('Expect: x', 'Content-Length: 5000000') + 'x'.repeat(5_000_000), 417),
  refusedBody('a bad chunk, and 5 MB after it', `x\r\n${'x'.repeat(5_000_000)}`),
]

/** Malformed requests, each with the expected result. */
export const badRequests: readonly BadRequest[] = [
  ...ambiguousLengths,
  ...brokenChunks,
  ...hiddenRequests,
  ...malformed,
  ...requestLines,
  ...tooLarge,
  ...notHttp,
  ...headersWithMeaning,
  ...leavers,
  ...pipelines,
  ...upgrades,
  ...largeBodies,
]

/**
 * Runs one case against the server on 127.0.0.1, and then sends a good request for `/`.
 * @returns the differences from the expected result; empty if there are none
 */
export async function runCase(port: number, bad: BadRequest, counters: Counters = {}): Promise<string[]> {
  const faults: string[] = []
  const before = counters.arrived?.() ?? 0
  const client = await RawConnection.open(port)
  try {
    if (typeof bad.send === 'function') await bad.send(client)
    else client.write(bad.send)
    if (bad.answers !== 'any') faults.push(...(await judgeAnswers(client, bad.answers)))
    if (bad.closes === true) {
      await within(client.closed, 'the server to close the connection').catch((late: unknown) =>
        faults.push(String(late)),
      )
      if (client.unread.length > 0)
        faults.push(`more than its answer came: ${client.unread.toString('latin1', 0, 200)}`)
    }
    const headers = bad.arrivesAs === undefined ? undefined : counters.lastHeaders?.()
    if (headers !== undefined && bad.arrivesAs?.(headers) === false)
      faults.push(`arrived as ${JSON.stringify(headers)}`)
  } finally {
    client.destroy()
  }
  const after = await rawExchange(port, requestBytes('GET /', ['Connection: close']))
  if (after.status !== 200) faults.push(`the next good request was answered ${after.status}`)
  if (counters.arrived !== undefined) {
    const arrived = counters.arrived() - before - 1
    const [from, to] = typeof bad.arrive === 'number' ? [bad.arrive, bad.arrive] : bad.arrive
    if (arrived < from || arrived > to) faults.push(`${arrived} requests arrived`)
  }
  return faults
}

async function judgeAnswers(client: RawConnection, wanted: readonly Answer[]): Promise<string[]> {
  const faults: string[] = []
  for (const [i, answer] of wanted.entries()) {
    try {
      const response = await within(client.response(), `answer ${i + 1}`)
      if (!isAnswer(response, answer))
        faults.push(`answer ${i + 1} was ${response.status}: ${response.body.toString()}`)
    } catch (error) {
      faults.push(String(error))
    }
  }
  return faults
}

const EDGE = /"code":"(BAD_|METHOD_REFUSED|REQUEST_TIMEOUT|EXPECTATION_|HEADERS_TOO_LARGE)/

function isAnswer(response: RawResponse, wanted: Answer): boolean {
  if (wanted !== 'served') return response.status === wanted
  return response.status >= 200 && response.status < 500 && response.whole && !EDGE.test(response.body.toString())
}
