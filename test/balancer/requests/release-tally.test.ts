import t from 'tap'
import { CLIENT_GROUPS, clientGroup } from '#balancer/contract/client-groups.js'
import type { ReleaseFigures } from '#balancer/contract/latency-buckets.js'
import { ReleaseTally } from '#balancer/requests/release-tally.js'
import { readyPool } from '../../helpers/fake-pool.js'

void t.test('all answers of a trial are counted, and the latencies of those of other processes', t => {
  const { pool, targets } = readyPool(['self', 'old', 'new'])
  const told: ReleaseFigures[][] = []
  const tally = new ReleaseTally({ releases: pool.releases, isLocal: ({ id }) => id === 'self' }, all => told.push(all))
  t.equal(tally.begin(), 0, 'nothing is measured without a trial')
  const specs = targets.map(({ id }) => ({ id, socketPath: '', draining: false }))
  pool.shareClients(specs.map(spec => (spec.id === 'new' ? { ...spec, release: 'r2', share: 0.2 } : spec)))
  tally.follow()
  const client = { client: '192.0.2.1' }
  for (const target of targets) {
    for (const status of [200, 500]) tally.answered(target, client, status, performance.now() - 30)
    tally.broke(target, client)
  }
  tally.stop()
  const seen = told.flat().map(({ release, answered, failed, broken, latencies }) => {
    return [release, answered, failed, broken, latencies.reduce((sum, [, count]) => sum + count, 0)]
  })
  t.strictSame(seen, [
    ['', 4, 2, 2, 2],
    ['r2', 2, 1, 1, 2],
  ])
  t.end()
})

void t.test('clients are counted by groups, and one client is always of the same', t => {
  const { pool, targets } = readyPool(['old', 'new'])
  const told: ReleaseFigures[][] = []
  const tally = new ReleaseTally({ releases: pool.releases, isLocal: () => false }, all => told.push(all))
  const specs = targets.map(({ id }) => ({ id, socketPath: '', draining: false }))
  pool.shareClients(specs.map(spec => (spec.id === 'new' ? { ...spec, release: 'r2', share: 0.2 } : spec)))
  tally.follow()
  const [one, other] = [{ client: '192.0.2.1' }, { client: '192.0.2.2' }]
  for (const target of targets) for (const client of [one, other, one]) tally.answered(target, client, 200, 1)
  tally.stop()
  const seen = told.flat().map(({ release, clients, answered }) => [release, clients, answered])
  const [groupOfOne, groupOfOther] = [clientGroup(one.client), clientGroup(other.client)]
  t.not(groupOfOne, groupOfOther)
  t.strictSame(seen, [
    ['', groupOfOne, 2],
    ['', groupOfOther, 1],
    ['r2', groupOfOne, 2],
    ['r2', groupOfOther, 1],
  ])
  t.end()
})

void t.test('neighbouring addresses are spread over all groups', t => {
  const counts = new Array<number>(CLIENT_GROUPS).fill(0)
  for (let i = 0; i < 256; i += 1) counts[clientGroup(`192.0.2.${i}`)]! += 1
  t.ok(Math.min(...counts) > 4 && Math.max(...counts) < 40, counts.join(' '))
  t.end()
})
