import t from 'tap'
import { ClientQuota, quotaKey } from '#balancer/edge/client-quota.js'

void t.test('a client is an IPv4 address or the /64 of an IPv6 address', t => {
  t.equal(quotaKey('192.0.2.1'), '192.0.2.1')
  const same = ['2001:db8::1', '2001:db8:0:0:ffff::', '2001:0db8:0:0::', '2001:DB8::2:3:4:5']
  for (const address of same) t.equal(quotaKey(address), '2001:db8:0:0::/64', address)
  t.equal(quotaKey('2001:db8:0:1::1'), '2001:db8:0:1::/64')
  t.equal(quotaKey('::1'), '0:0:0:0::/64')
  t.equal(quotaKey('nobody'), 'nobody')
  t.end()
})

void t.test('processes that share the clients share each client’s places', t => {
  const quota = new ClientQuota(4)
  quota.shareAmong(2)
  const take = (): boolean => quota.take('192.0.2.1')
  t.strictSame([take(), take(), take()], [true, true, false])
  quota.shareAmong(1)
  t.ok(take())
  t.end()
})

void t.test('each client has its own places and can reuse those that it releases', t => {
  const quota = new ClientQuota(2)
  const take = (address: string): boolean => quota.take(address)
  t.strictSame(['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'].map(take), [true, true, false, true])
  quota.release('192.0.2.1')
  t.strictSame(['192.0.2.1', '192.0.2.1'].map(take), [true, false])
  t.strictSame(['2001:db8::1', '2001:db8::2', '2001:db8::3'].map(take), [true, true, false])
  t.end()
})
