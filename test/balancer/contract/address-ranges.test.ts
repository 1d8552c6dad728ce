import t from 'tap'
import { AddressRanges } from '#balancer/contract/address-ranges.js'

void t.test('an address is in the ranges of its family', t => {
  const ranges = new AddressRanges(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'])
  for (const address of ['10.1.2.3', '192.0.2.1', '2001:db8::1']) t.ok(ranges.includes(address), address)
  for (const address of ['11.0.0.1', '192.0.2.2', '2001:db9::1', 'none']) t.notOk(ranges.includes(address), address)
  t.end()
})

for (const range of ['10.0.0.0/8/32', '10.0.0.0/8/', '10.0.0.0/', '10.0.0.0/33', '/8', 'home', '']) {
  void t.test(`${JSON.stringify(range)} is not a range`, t => {
    t.throws(() => new AddressRanges([range]), { name: 'RangeError', message: `not an address or range: ${range}` })
    t.end()
  })
}
