import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { codeOfParserError, refusalOf, upgradeRefusalOf } from '#balancer/edge/request-guard.js'

interface Given {
  method?: string
  url?: string
  minor?: number
  major?: number
  headers?: [string, string][]
}

function request({
  method = 'GET',
  url = '/',
  minor = 1,
  major = 1,
  headers = [['Host', 'a']],
}: Given): IncomingMessage {
  return {
    method,
    url,
    httpVersionMajor: major,
    httpVersionMinor: minor,
    rawHeaders: headers.flat(),
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
  } as unknown as IncomingMessage
}

const host = ['Host', 'a'] as [string, string]
const coding = (value: string): [string, string] => ['Transfer-Encoding', value]

const cases: [sentence: string, given: Given, code: string | undefined][] = [
  ['a plain GET', {}, undefined],
  ['a chunked POST', { method: 'POST', headers: [host, ['TRANSFER-ENCODING', 'Chunked']] }, undefined],
  ['TRACE', { method: 'TRACE' }, 'METHOD_REFUSED'],
  ['TRACK', { method: 'TRACK' }, 'METHOD_REFUSED'],
  ['CONNECT', { method: 'CONNECT', url: 'a:1' }, 'METHOD_REFUSED'],
  ['absolute form', { url: 'http://a/' }, undefined],
  ['absolute form with a query alone', { url: 'http://A?b' }, undefined],
  ['absolute form of another host', { url: 'http://b/' }, 'BAD_REQUEST_TARGET'],
  ['absolute form with a name', { url: 'http://b@a/' }, 'BAD_REQUEST_TARGET'],
  ['absolute form that breaks url.parse', { url: 'http://[::1' }, 'BAD_REQUEST_TARGET'],
  ['asterisk form', { method: 'OPTIONS', url: '*' }, undefined],
  ['an empty target', { url: '' }, 'BAD_REQUEST_TARGET'],
  ['HTTP/0.9', { major: 0, minor: 9 }, 'BAD_REQUEST'],
  ['HTTP/2.0', { major: 2, minor: 0 }, 'BAD_REQUEST'],
  ['HTTP/1.2', { minor: 2 }, 'BAD_REQUEST'],
  ['HTTP/1.1 without Host', { headers: [] }, 'BAD_HOST'],
  ['HTTP/1.0 without Host', { headers: [], minor: 0 }, undefined],
  ['two Hosts', { headers: [host, ['host', 'a']] }, 'BAD_HOST'],
  ['two Hosts in HTTP/1.0', { headers: [host, ['HOST', 'b']], minor: 0 }, 'BAD_HOST'],
  ['an empty Host', { headers: [['Host', '']] }, 'BAD_HOST'],
  ['a Host with a space', { headers: [['Host', 'a b']] }, 'BAD_HOST'],
  ['a Host with a path', { headers: [['Host', 'a/b']] }, 'BAD_HOST'],
  ['a Host with a user', { headers: [['Host', 'u@a']] }, 'BAD_HOST'],
  ['an IPv6 Host', { headers: [['Host', '[::1]:3000']] }, undefined],
  ['Transfer-Encoding: xchunked', { headers: [host, coding('xchunked')] }, 'BAD_FRAMING'],
  ['Transfer-Encoding: gzip, chunked', { headers: [host, coding('gzip, chunked')] }, 'BAD_FRAMING'],
  ['Transfer-Encoding: identity', { headers: [host, coding('identity')] }, 'BAD_FRAMING'],
  ['chunked twice', { headers: [host, coding('chunked'), coding('chunked')] }, 'BAD_FRAMING'],
  ['HTTP/1.0 with chunked', { headers: [host, coding('chunked')], minor: 0 }, 'BAD_FRAMING'],
]

for (const [sentence, given, code] of cases) {
  void t.test(`the guard checks ${sentence}: ${code ?? 'passes'}`, t => {
    t.equal(refusalOf(request(given), 1_000), code)
    t.end()
  })
}

void t.test('too many headers are refused', t => {
  const headers = Array.from({ length: 10 }, (_, i) => [`x-${i}`, '1'] as [string, string])
  t.equal(refusalOf(request({ headers: [host, ...headers] }), 10), 'HEADERS_TOO_LARGE')
  t.equal(refusalOf(request({ headers: [host, ...headers] }), 11), undefined)
  t.end()
})

void t.test('an upgrade is a GET without a body', t => {
  t.equal(upgradeRefusalOf(request({})), undefined)
  t.equal(upgradeRefusalOf(request({ method: 'POST' })), 'BAD_UPGRADE')
  t.equal(upgradeRefusalOf(request({ headers: [host, ['Content-Length', '3']] })), 'BAD_UPGRADE')
  t.equal(upgradeRefusalOf(request({ headers: [host, coding('chunked')] })), 'BAD_UPGRADE')
  t.equal(upgradeRefusalOf(request({ headers: [host, ['Content-Length', '0']] })), undefined)
  t.end()
})

void t.test('each parser error has a code, and an error of the connection has none', t => {
  t.equal(codeOfParserError('ECONNRESET'), undefined)
  t.equal(codeOfParserError('EPIPE'), undefined)
  t.equal(codeOfParserError('HPE_HEADER_OVERFLOW'), 'HEADERS_TOO_LARGE')
  t.equal(codeOfParserError('ERR_HTTP_REQUEST_TIMEOUT'), 'REQUEST_TIMEOUT')
  t.equal(codeOfParserError('HPE_INVALID_CONSTANT'), 'BAD_REQUEST')
  for (const code of [undefined, 7, 'ERR_STREAM_PREMATURE_CLOSE', 'ENOENT']) t.equal(codeOfParserError(code), undefined)
  t.end()
})
