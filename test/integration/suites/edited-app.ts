import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../../helpers/client.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { appThatSays, archiveOf, folderOf } from '../../helpers/releases.js'
import { MODES, type Mode } from '../../helpers/modes.js'

// A person edits the folder that the program was started in, and deploys it from there.

const edit = (folder: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
}

export async function editedApp(t: Test, mode: Mode): Promise<void> {
  await t.test(`the app as it was started is what a deploy of its edited folder goes back to, in ${mode}`, async t => {
    const APP = folderOf(t, appThatSays('one'))
    const env = { APP, EMBED: 'none', BALANCERS: MODES[mode], KEEP_WARM: '0' }
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

    await t.test('a reload and a rollback serve the app as it was started', async t => {
      t.equal((await cluster.reload()).replaced, 2)
      t.equal(await text(), 'one')
      edit(APP, appThatSays('two'))
      await client.deploy(archiveOf(APP), { source: 'test', stages: '' })
      t.equal(await text(), 'two')
      edit(APP, appThatSays('three'))
      await client.rollback()
      t.equal(await text(), 'one')
    })

    await t.test('the next start serves the app as it was started, after a kill in the middle of a deploy', async t => {
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
