import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { isSameOrigin } from '#src/services/origin.js'

const rows: Array<[what: string, headers: IncomingHttpHeaders, same: boolean]> = [
  ['no page', { host: 'a.example' }, true],
  ['a page of this host', { host: 'a.example', origin: 'https://a.example' }, true],
  ['a page of this host and port', { host: 'a.example:3000', origin: 'http://a.example:3000' }, true],
  ['a page of another port', { host: 'a.example:3000', origin: 'http://a.example:3001' }, false],
  ['a page of another host', { host: 'a.example', origin: 'https://evil.example' }, false],
  ['a page of a host below', { host: 'a.example', origin: 'https://a.example.evil.example' }, false],
  ['a sandboxed page', { host: 'a.example', origin: 'null' }, false],
  ['no host at all', { origin: 'null' }, false],
]

void t.test('a request is of the same origin if its Origin header names the host', t => {
  for (const [what, headers, same] of rows) {
    t.equal(isSameOrigin(headers), same, what)
    const { host, ...others } = headers
    const behind = { ...others, host: '127.0.0.1:3000', ...(host === undefined ? {} : { 'x-forwarded-host': host }) }
    t.equal(isSameOrigin(behind), same, `${what}, behind a proxy`)
  }
  t.end()
})
