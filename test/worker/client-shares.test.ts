import t from 'tap'
import { ClientShares } from '#src/worker/client-shares.js'

void t.test('one client gets half of what is shared, and what it gives back is there again', t => {
  const shares = new ClientShares<string>(20)
  const takeAll = (address: string): number => {
    let taken = 0
    for (; shares.mayTake(address); taken += 1) shares.take(address, `${address} ${taken}`)
    return taken
  }
  t.equal(takeAll('192.0.2.1'), 10)
  t.equal(takeAll('2001:db8::1'), 5)
  t.notOk(shares.mayTake('2001:db8::2'), 'an IPv6 client is its /64')
  for (let i = 0; i < 10; i += 1) shares.release('192.0.2.1', `192.0.2.1 ${i}`)
  t.equal(takeAll('2001:db8::2'), 5)
  t.end()
})

void t.test('when earlier clients hold everything, a new one gets the oldest of the client that holds most', t => {
  const shares = new ClientShares<string>(20)
  for (let client = 1; client <= 5; client += 1) {
    const address = `192.0.2.${client}`
    for (let i = 0; shares.mayTake(address); i += 1) shares.take(address, `${client}.${i}`)
    if (client < 4) t.equal(shares.giverTo('192.0.2.9'), undefined, 'something is left')
  }
  t.notOk(shares.mayTake('192.0.2.9'))
  t.equal(shares.giverTo('192.0.2.9'), '1.0')
  t.equal(shares.giverTo('192.0.2.1'), undefined, 'a client that has enough gets nothing')
  shares.release('192.0.2.1', '1.0')
  shares.release('192.0.2.1', '1.0')
  shares.take('192.0.2.9', 'new')
  t.notOk(shares.mayTake('192.0.2.9'), 'one was released, however often that is said')
  t.equal(shares.giverTo('192.0.2.9'), '1.1')
  t.end()
})
