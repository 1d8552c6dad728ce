import t from 'tap'
import { ClientShares } from '#src/worker/client-shares.js'

void t.test('one client gets half of what is shared, and what it gives back is there again', t => {
  const shares = new ClientShares(20)
  const takeAll = (address: string): number => {
    let taken = 0
    for (; shares.mayTake(address); taken += 1) shares.take(address)
    return taken
  }
  t.equal(takeAll('192.0.2.1'), 10)
  t.equal(takeAll('2001:db8::1'), 5)
  t.notOk(shares.mayTake('2001:db8::2'), 'an IPv6 client is its /64')
  for (let i = 0; i < 10; i += 1) shares.release('192.0.2.1')
  t.equal(takeAll('2001:db8::2'), 5)
  t.end()
})
