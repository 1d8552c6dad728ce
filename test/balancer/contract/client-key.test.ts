import t from 'tap'
import { clientKey } from '#balancer/contract/client-key.js'

void t.test('a client is an IPv4 address or the /64 of an IPv6 address', t => {
  t.equal(clientKey('192.0.2.1'), '192.0.2.1')
  const same = ['2001:db8::1', '2001:db8:0:0:ffff::', '2001:0db8:0:0::', '2001:DB8::2:3:4:5']
  for (const address of same) t.equal(clientKey(address), '2001:db8:0:0::/64', address)
  t.equal(clientKey('2001:db8:0:1::1'), '2001:db8:0:1::/64')
  t.equal(clientKey('::1'), '0:0:0:0::/64')
  t.equal(clientKey('fe80::1%eth0'), 'fe80:0:0:0::/64')
  t.equal(clientKey('nobody'), 'nobody')
  t.end()
})

void t.test('an IPv4 address is the same client however it is written', t => {
  const written = ['::ffff:192.0.2.1', '::FFFF:192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:ffff:c000:0201']
  for (const address of written) t.equal(clientKey(address), '192.0.2.1', address)
  t.equal(clientKey('::ffff:255.255.255.255'), '255.255.255.255')
  t.not(clientKey('::ffff:192.0.2.2'), clientKey('::ffff:192.0.2.1'))
  t.equal(clientKey('::fffe:192.0.2.1'), '0:0:0:0::/64', 'not mapped')
  t.equal(clientKey('64:ff9b::192.0.2.1'), '64:ff9b:0:0::/64')
  t.end()
})
