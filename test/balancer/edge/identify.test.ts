import t from 'tap'
import type { IncomingHttpHeaders } from 'node:http'
import type { ClientIdentity } from '#balancer'
import { identify as identifyBehind, type Peer } from '#balancer/edge/identify.js'
import { TrustedProxies } from '#balancer/edge/trusted-proxies.js'
import type { TrustProxy } from '#balancer/options.js'

const identify = (peer: Peer, headers: IncomingHttpHeaders, trust: TrustProxy): ClientIdentity =>
  identifyBehind(peer, headers, new TrustedProxies(trust))

const peer = { remoteAddress: '192.0.2.1', remotePort: 5001 }

void t.test('the client is the peer if no proxy is trusted', t => {
  const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }
  t.same(identify(peer, headers, 0), { address: '192.0.2.1', port: 5001, protocol: 'http' })
  t.equal(identify({ remoteAddress: '192.0.2.1', encrypted: true }, {}, 0).protocol, 'https')
  t.end()
})

void t.test('the address that the connection came to is known, behind proxies as well', t => {
  const reached = { ...peer, localAddress: '::ffff:192.0.2.9' }
  t.equal(identify(reached, {}, 0).localAddress, '192.0.2.9')
  t.equal(identify(reached, { 'x-forwarded-for': '203.0.113.9' }, 1).localAddress, '192.0.2.9')
  t.notOk('localAddress' in identify(peer, {}, 0))
  t.end()
})

void t.test('an IPv4 address that is mapped into IPv6 is reported as IPv4', t => {
  t.equal(identify({ remoteAddress: '::ffff:192.0.2.1' }, {}, 0).address, '192.0.2.1')
  t.equal(identify({ remoteAddress: '2001:db8::1' }, {}, 0).address, '2001:db8::1')
  t.equal(identify({}, {}, 0).address, '', 'the peer has left already')
  t.end()
})

void t.test('the client is the n-th address from the right behind n trusted hops', t => {
  const headers = { 'x-forwarded-for': 'forged, 203.0.113.9,198.51.100.2', 'x-forwarded-proto': 'http, https' }
  const one = identify(peer, headers, 1)
  t.same(one, { address: '198.51.100.2', port: 0, protocol: 'https', forwardedFor: '198.51.100.2' })
  const two = identify(peer, headers, 2)
  t.equal(two.address, '203.0.113.9')
  t.equal(two.forwardedFor, '203.0.113.9', 'the client alone')
  t.end()
})

void t.test('the host is the n-th from the right behind n trusted hops', t => {
  const headers = { host: 'a.example', 'x-forwarded-host': 'forged.example, far.example,near.example' }
  t.equal(identify(peer, headers, 0).forwardedHost, undefined)
  t.equal(identify(peer, headers, 1).forwardedHost, 'near.example')
  const twoHops = { ...headers, 'x-forwarded-for': '203.0.113.9, 198.51.100.2' }
  t.equal(identify(peer, twoHops, 2).forwardedHost, 'far.example')
  t.equal(identify(peer, { ...headers, 'x-forwarded-host': ' , ' }, 1).forwardedHost, undefined)
  t.end()
})

void t.test('a port or brackets around an address do not change the client', t => {
  for (const [written, address] of [
    ['203.0.113.9:4711', '203.0.113.9'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[::ffff:203.0.113.9]:1', '203.0.113.9'],
    ['::FFFF:203.0.113.9', '203.0.113.9'],
    ['2001:db8::1', '2001:db8::1'],
  ] as const) {
    t.equal(identify(peer, { 'x-forwarded-for': written }, 1).address, address)
  }
  t.end()
})

void t.test('an entry that is not an address is ignored, with everything left of it', t => {
  for (const [written, address] of [
    ['unknown', '192.0.2.1'],
    ['<script>', '192.0.2.1'],
    ['203.0.113.9, _hidden', '192.0.2.1'],
    ['203.0.113.9, 1.2.3.400, 198.51.100.2', '198.51.100.2'],
    ['203.0.113.9 http 0 203.0.113.8', '192.0.2.1'],
  ] as const) {
    const found = identify(peer, { 'x-forwarded-for': written }, 3)
    t.equal(found.address, address, written)
    t.equal(found.forwardedFor, address)
  }
  t.end()
})

void t.test('the client is the leftmost entry, or the peer, if there are fewer entries than hops', t => {
  t.equal(identify(peer, { 'x-forwarded-for': '203.0.113.9' }, 2).address, '203.0.113.9')
  t.equal(identify(peer, {}, 2).address, '192.0.2.1')
  t.equal(identify(peer, { 'x-forwarded-for': ' , ' }, 1).forwardedFor, '192.0.2.1')
  t.equal(identify(peer, { 'x-forwarded-proto': 'gopher' }, 1).protocol, 'http')
  t.end()
})

void t.test('proxies are trusted by their addresses and ranges', t => {
  const trust = ['192.0.2.0/24', '2001:db8::/32', '198.51.100.2']
  const headers = { 'x-forwarded-for': '203.0.113.1, 203.0.113.9, 198.51.100.2' }
  t.match(identify(peer, headers, trust), { address: '203.0.113.9', forwardedFor: '203.0.113.9' })
  t.equal(identify({ remoteAddress: '2001:db8::7' }, headers, trust).address, '203.0.113.9')
  const stranger = identify({ remoteAddress: '203.0.113.5' }, headers, trust)
  t.match(stranger, { address: '203.0.113.5' }, 'anybody else is not')
  t.notOk('forwardedFor' in stranger)
  t.equal(identify(peer, { 'x-forwarded-for': '192.0.2.8' }, trust).address, '192.0.2.8', 'a proxy that asks itself')
  t.throws(() => new TrustedProxies(['proxy.example']), RangeError)
  t.end()
})
