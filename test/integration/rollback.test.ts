import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ControlError, Deployed } from '#src/control/protocol.js'
import { ask } from '../helpers/client.js'
import { Cluster, failureOf, program } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, archiveOf, deploy, folderOf, heldArchive } from '../helpers/releases.js'
import { rollbackSuite } from './suites/rollback.js'

const MESSAGE = /^The app was rolled back to release r1 during this deploy/

interface Running {
  cluster: Cluster
  client: ControlClient
  text: () => Promise<string>
}

async function running(t: Test, env: Record<string, string> = {}): Promise<Running> {
  const APP = folderOf(t, appThatSays('start'))
  const cluster = await Cluster.start(t, { APP, EMBED: 'none', WORKERS: '1', ...env })
  const text = async (): Promise<string> => (await ask(cluster.url, '/')).text
  return { cluster, client: await ControlClient.of(cluster.dataDir), text }
}

/** `r2` is live, and `r1` is what it was before. */
async function twoReleases(t: Test): Promise<Running> {
  const started = await running(t)
  await deploy(t, started.cluster, appThatSays('one'))
  await deploy(t, started.cluster, appThatSays('two'))
  return started
}

const draftIn = ({ dataDir }: Cluster, id: string): string => join(dataDir, 'releases', `.new-${id}`)

void t.test('a rollback does not wait for a deploy that has not begun to start workers', async t => {
  const { cluster, client, text } = await twoReleases(t)

  await t.test('a rollback does not wait for an archive that is being received, and ends its deploy', async t => {
    const { archive } = await heldArchive(t, appThatSays('three'))
    const refused = failureOf(client.deploy(archive, { source: 'held', stages: '' }))
    await until(() => existsSync(draftIn(cluster, 'r3')), 'the start of the deploy')
    t.match(await failureOf(deploy(t, cluster, appThatSays('four'))), { code: 'DEPLOY_UNDER_WAY' })
    t.match(await failureOf(client.setEnvironment({ set: { A: '1' } })), { code: 'DEPLOY_UNDER_WAY' })
    t.match(await client.rollback(), { release: 'r1' })
    t.equal(await text(), 'one')
    t.match(await refused, { code: 'ROLLED_BACK', message: MESSAGE })
    await until(() => !existsSync(draftIn(cluster, 'r3')), 'the end of what was received')
    t.match(await deploy(t, cluster, appThatSays('five')), { release: 'r4' }, 'the next deploy is taken')
  })

  await t.test('a rollback does not wait for an installation, and ends it', async t => {
    t.equal(await text(), 'five')
    let refused: Promise<ControlError> | undefined
    await new Promise<void>(installing => {
      const files = { ...appThatSays('three'), Procfile: 'release: sleep 600\n' }
      const deployed = deploy(t, cluster, files, '', ({ event }) => {
        if (event === 'installing') installing()
      })
      refused = failureOf(deployed)
    })
    t.match(await client.rollback(), { release: 'r1' })
    t.equal(await text(), 'one')
    t.match(await refused, { code: 'ROLLED_BACK', message: MESSAGE })
  })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a deploy goes on after a rollback that has failed, or that has only ended a preview', async t => {
  const folder = folderOf(t, {})
  // No worker of the first release may be left, or the rollback would start none.
  const { cluster, client, text } = await running(t, { KEEP_WARM: '0' })
  const [gone, fails] = [join(folder, 'gone'), join(folder, 'fails')]
  const first = appThatSays('one')
  const failing = `import fs from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'
    if (fs.existsSync('${gone}')) {
      while (!fs.existsSync('${fails}')) await sleep(20)
      throw new Error('no')
    }
    ${first['app.js'] ?? ''}`
  await deploy(t, cluster, { ...first, 'app.js': failing })
  await deploy(t, cluster, appThatSays('two'))
  await client.deploy(archiveOf(folderOf(t, appThatSays('preview'))), { source: 'test', preview: '1' })
  const { archive, send } = await heldArchive(t, appThatSays('four'))
  const deployed: Promise<Deployed> = client.deploy(archive, { source: 'held', stages: '' })
  await until(() => existsSync(draftIn(cluster, 'r4')), 'the start of the deploy')
  await client.rollback('r2')
  writeFileSync(gone, '')
  const rollback = failureOf(client.rollback('r1'))
  const isStarting = async (): Promise<boolean> =>
    (await client.status()).processes.some(({ state, release }) => state === 'starting' && release === 'r1')
  await until(isStarting, 'the start of the rollback')
  send()
  writeFileSync(fails, '')
  t.match(await rollback, { code: 'TAKEN_BACK' })
  t.match(await deployed, { release: 'r4' })
  t.equal(await text(), 'four')
  t.match(await cluster.stop(), { code: 0 })
})

// With a balancer it is a proof. In mesh mode each worker has to be told which clients get which release.
void t.test('a rollback ends what is under way, in mesh mode', t => rollbackSuite(t, { BALANCERS: '0' }))

void t.test('the next start serves the release that a rollback has recorded', async t => {
  let { cluster, client, text } = await twoReleases(t)
  const { dataDir } = cluster
  const obstacle = join(dataDir, 'releases', 'state.before.json.new')
  const live = (): unknown => JSON.parse(readFileSync(join(dataDir, 'releases', 'state.json'), 'utf8'))
  const startAgain = async (): Promise<void> => {
    await cluster.gone()
    ;({ cluster, client, text } = await running(t, { DATA_DIR: dataDir }))
  }

  await t.test('after a kill before the record, the release that was live before the rollback serves', async t => {
    mkdirSync(obstacle)
    await client.rollback()
    t.equal(await text(), 'one')
    cluster.signal('SIGKILL')
    await cluster.gone()
    rmdirSync(obstacle)
    await startAgain()
    t.equal(await text(), 'two')
  })

  await t.test(
    'a rollback that the disk does not record serves all clients, is reported, and is recorded later',
    async t => {
      mkdirSync(obstacle)
      const { release, unrecorded } = await client.rollback()
      t.equal(release, 'r1')
      t.match(unrecorded, /state\.before\.json\.new/)
      t.equal(await text(), 'one')
      t.match(live(), { live: 'r2' })
      t.match(cluster.lines.join('\n'), /release is live but not recorded/)
      t.match(await failureOf(client.upgrade({ program })), {
        code: 'UPGRADE_REFUSED',
        message: /live release is not recorded/,
      })
      rmdirSync(obstacle)
      await cluster.printed(/release that is live is recorded/)
      t.match(live(), { live: 'r1', previous: 'r2' })
      cluster.signal('SIGKILL')
      await startAgain()
      t.equal(await text(), 'one')
    },
  )

  await t.test(
    'a rollback to files that were changed after their deploy says so, and so does the next start',
    async t => {
      t.strictSame(await client.rollback(), { release: 'r2' }, 'unchanged files are no remark')
      appendFileSync(join(dataDir, 'releases/r1/app/app.js'), '// changed')
      writeFileSync(join(dataDir, 'releases/r1/app/data.db'), 'new')
      const changed = { count: 1, files: ['app.js'] }
      t.strictSame(await client.rollback(), { release: 'r1', changed })
      t.match(await cluster.stop(), { code: 0 })
      await startAgain()
      const line = await cluster.printed(/files of release have changed since it was deployed/)
      t.match(JSON.parse(line), { level: 'warn', release: 'r1', ...changed })
    },
  )
  t.match(await cluster.stop(), { code: 0 })
})
