import t from 'tap'
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
  for (const target of targets) {
    for (const status of [200, 500]) tally.answered(target, status, performance.now() - 30)
    tally.broke(target)
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
