import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, archiveOf, folderOf } from '../helpers/releases.js'
import { editedApp } from './suites/edited-app.js'

// Most of the time is spent waiting, so two tests run at once. The first one in default mode is a proof.
t.jobs = 2

void editedApp(t, 'mesh mode')

void t.test('an app that is too large to be kept is named once, and deployed over all the same', async t => {
  const APP = folderOf(t, { ...appThatSays('one'), film: '' })
  truncateSync(join(APP, 'film'), 257 * 1024 ** 2)
  const cluster = await Cluster.start(t, { APP, EMBED: 'none', WORKERS: '1' })
  const client = await ControlClient.of(cluster.dataDir)
  const line = 'app could not be copied: it has more than 256 MiB beside its packages'
  const named = (): number => cluster.lines.filter(each => each.includes(line)).length
  await until(() => named() === 1, 'a line about it, before the first deploy')
  await client.deploy(archiveOf(folderOf(t, appThatSays('two'))), { source: 'test', stages: '' })
  t.equal((await ask(cluster.url, '/')).text, 'two')
  await client.rollback()
  t.equal((await ask(cluster.url, '/')).text, 'one')
  t.equal(named(), 1)
})
