import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { isSameOrigin, originOf } from '#src/services/origin.js'

const rows: Array<[what: string, encrypted: boolean, headers: IncomingHttpHeaders, same: boolean]> = [
  ['no page', false, { host: 'a.example' }, true],
  ['a page of this host', true, { host: 'a.example', origin: 'https://a.example' }, true],
  ['a page of this host and port', false, { host: 'a.example:3000', origin: 'http://a.example:3000' }, true],
  [
    'a page of this host, whose port is written out',
    true,
    { host: 'a.example:443', origin: 'https://a.example' },
    true,
  ],
  ['a page of this IPv6 address', false, { host: '[::1]:3000', origin: 'http://[::1]:3000' }, true],
  ['a page over http of this host over https', true, { host: 'a.example', origin: 'http://a.example' }, false],
  ['a page over https of this host over http', false, { host: 'a.example', origin: 'https://a.example' }, false],
  ['a page of another port', false, { host: 'a.example:3000', origin: 'http://a.example:3001' }, false],
  ['a page of another host', false, { host: 'a.example', origin: 'http://evil.example' }, false],
  ['a page of a host below', false, { host: 'a.example', origin: 'http://a.example.evil.example' }, false],
  ['a sandboxed page', false, { host: 'a.example', origin: 'null' }, false],
  ['no host at all', false, { origin: 'null' }, false],
]

void t.test('a request is of the same origin if its Origin header names the scheme and the host', t => {
  for (const [what, encrypted, headers, same] of rows) {
    const socket = { encrypted }
    t.equal(isSameOrigin({ headers, socket }), same, what)
    const { host, ...others } = headers
    const behind = { ...others, host: '127.0.0.1:3000', ...(host === undefined ? {} : { 'x-forwarded-host': host }) }
    t.equal(isSameOrigin({ headers: behind, socket }), same, `${what}, behind a proxy`)
  }
  t.end()
})

void t.test('an invalid host makes no origin', t => {
  for (const host of [
    undefined,
    '',
    'a b',
    "a'; script-src *",
    'a;b',
    'a/b',
    'user@a',
    'a:x',
    'a:99999',
    '[::1',
    '%41',
  ]) {
    t.equal(originOf({ headers: host === undefined ? {} : { host }, socket: {} }), undefined, String(host))
  }
  t.equal(originOf({ headers: { host: 'A.example:80' }, socket: {} })?.origin, 'http://a.example')
  t.end()
})
