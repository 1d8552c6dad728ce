import t from 'tap'
import { clusterOnTrial, goodReleases, worseReleases } from '../integration/suites/canary.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2
t.setTimeout(300_000)

void t.test('a release is tried on a share of the clients, with a balancer', async t => {
  const cluster = await clusterOnTrial(t, '1')
  await worseReleases(t, cluster, ['is three times slower', 'leaks 100 MB a second', 'crashes on one path'])
  await goodReleases(t, cluster)
})

void t.test('a release that leaks is taken back in mesh mode', async t => {
  await worseReleases(t, await clusterOnTrial(t, '0'), ['leaks 100 MB a second'])
})
