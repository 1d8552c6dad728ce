import t from 'tap'
import { RecentClients } from '#balancer/ledger/recent-clients.js'

void t.test('clients that asked within a minute are counted, up to eight', t => {
  const clients = new RecentClients()
  t.equal(clients.count(0), 0)
  clients.asked('a', 0)
  clients.asked('b', 10_000)
  clients.asked('a', 20_000)
  t.equal(clients.count(30_000), 2)
  t.equal(clients.count(70_000), 1)
  t.equal(clients.count(80_000), 0)
  for (let i = 0; i < 1_000; i += 1) clients.asked(`client ${i}`, 90_000)
  t.equal(clients.count(90_000), 8)
  t.end()
})
