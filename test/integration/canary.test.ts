import t from 'tap'
import { clusterOnTrial, goodReleases, worseReleases } from './suites/canary.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

// In mesh mode the figures of a release come from several balancing processes, and two workers are the fewest to compare.
void t.test('a release is tried on a share of the clients, in mesh mode', async t => {
  const cluster = await clusterOnTrial(t, '0')
  await worseReleases(t, cluster, ['answers 500 to one request in ten', 'is three times slower', 'crashes on one path'])
  await goodReleases(t, cluster)
})

void t.test('a release is tried on a share of the clients, with a balancer', async t => {
  await worseReleases(t, await clusterOnTrial(t, '1'), ['answers 500 to one request in ten'])
})
