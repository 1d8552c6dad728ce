import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'
import { exportsFirst, ownPortAlone, textOf, WAITED_FOR, waits } from './suites/strangers-waited-for.js'

// Nearly all of the time is the wait of the first worker. Each in the other mode is a proof.
t.jobs = 3

void exportsFirst(t, 'mesh mode')
void ownPortAlone(t, 'default mode')

void t.test('an app that was waited for once wakes from zero without a wait', async t => {
  const folder = temporaryFolder(t)
  const source = `
    setInterval(() => undefined, 1000)
    module.exports = (request, response) => response.end('exported')`
  writeFileSync(join(folder, 'index.js'), source)
  const env = { WORKERS: '0-1', SCALE_TO_ZERO_AFTER: '1', KEEP_WARM: '0' }
  const cluster = Cluster.spawn(t, { APP: join(folder, 'index.js'), ...env })
  await cluster.serving()
  await cluster.printed(WAITED_FOR)
  await cluster.printed(/app falls asleep with a timer/)
  await cluster.has('worker', 0)
  t.equal(await textOf(cluster), 'exported')
  t.equal(waits(cluster), 1)
})
