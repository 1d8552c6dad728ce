import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { strangers } from '../helpers/plain-node.js'
import { idlePool, idleReleases, spareWorker, startIdle, untilAsleep } from './suites/scale-to-zero.js'

// Most of the time is spent waiting, so four tests run at once. Each in the other mode is a proof.
t.jobs = 4

void idlePool(t, 'mesh mode')
void idleReleases(t, 'default mode')
void spareWorker(t, 'default mode')

void t.test('a worker that takes longer to start than it would be kept is waited for, in mesh mode', async t => {
  const cluster = await startIdle(t, join(strangers, 'slow.cjs'), 'mesh mode')
  await untilAsleep(cluster, 1)
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'slow' })
})
