import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, archiveOf, folderOf } from '../helpers/releases.js'
import { MODES } from '../helpers/modes.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

// A person edits the folder that the program was started in, and deploys it from there.

const edit = (folder: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`the app as it was started is what a deploy of its edited folder goes back to, in ${mode}`, async t => {
    const APP = folderOf(t, appThatSays('one'))
    const env = { APP, EMBED: 'none', BALANCERS, KEEP_WARM: '0' }
    const cluster = await Cluster.start(t, env)
    const client = await ControlClient.of(cluster.dataDir)
    const text = async (): Promise<string> => (await ask(cluster.url, '/')).text
    // A worker that still starts would read what is edited.
    const areReady = async (): Promise<boolean> =>
      (await client.status()).processes.every(({ state }) => state === 'ready')
    await until(areReady, 'that all workers are ready')

    await t.test('a worker that is replaced during a trial runs the code before it', async t => {
      edit(APP, appThatSays('broken', 'response.statusCode = 500'))
      const before = cluster.pids('worker')
      const deployed = failureOf(
        client.deploy(archiveOf(APP), { source: 'test', stages: '10:60' }, ({ event }) => {
          if (event !== 'baking') return
          process.kill(before[0]!, 'SIGKILL')
          void (async () => {
            await until(() => cluster.pids('worker').length >= 3, 'another worker')
            for (let i = 0; i < 200; i += 1) await ask(cluster.url, '/').catch(() => undefined)
          })()
        }),
      )
      t.match(await deployed, { code: 'TAKEN_BACK' })
      for (let i = 0; i < 20; i += 1) t.equal(await text(), 'one')
    })

    await t.test('a reload and a rollback serve it', async t => {
      t.equal((await cluster.reload()).replaced, 2)
      t.equal(await text(), 'one')
      edit(APP, appThatSays('two'))
      await client.deploy(archiveOf(APP), { source: 'test', stages: '' })
      t.equal(await text(), 'two')
      edit(APP, appThatSays('three'))
      await client.rollback()
      t.equal(await text(), 'one')
    })

    await t.test('the next start does the same, after a kill in the middle of a deploy', async t => {
      await new Promise<void>(resolve => {
        const told = ({ event }: { event: string }): void => {
          if (event === 'baking') resolve()
        }
        client.deploy(archiveOf(APP), { source: 'test', stages: '50:60' }, told).catch(() => undefined)
      })
      cluster.signal('SIGKILL')
      await cluster.exited
      const again = await Cluster.start(t, { ...env, DATA_DIR: cluster.dataDir })
      t.equal((await ask(again.url, '/')).text, 'one')
      t.ok(again.lines.some(line => line.includes('app is served as it was before its first deploy')))
    })
  })
}

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
