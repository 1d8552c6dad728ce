import t from 'tap'
import { clusterOf, losslessUpgrades, stopDuringHandover } from '../integration/suites/upgrade.js'

t.setTimeout(300_000)

for (const [mode, BALANCERS] of Object.entries({ 'default mode': '1', 'two balancers': '2' })) {
  void t.test(`another version takes over without a refused or lost request, with ${mode}`, async t => {
    const cluster = await clusterOf(t, { BALANCERS, WORKERS: '2' })
    await losslessUpgrades(t, cluster, ['9.0.0', '9.1.0'])
    t.match(await cluster.stop(), { code: 0 })
  })
}

void t.test('a stop during the first handover of an instance ends all', t => stopDuringHandover(t, 0))
