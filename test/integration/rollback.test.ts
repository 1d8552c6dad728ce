import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ControlError, Deployed } from '#src/control/protocol.js'
import { ask, Load } from '../helpers/client.js'
import { Cluster, failureOf, program } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, archiveOf, deploy, folderOf, heldArchive } from '../helpers/releases.js'

const MESSAGE = /^The app was rolled back to release r1 during this deploy/

/** `r2` is live, and `r1` is what it was before. */
async function twoReleases(
  t: Test,
  env: Record<string, string> = {},
): Promise<{ cluster: Cluster; client: ControlClient; text: () => Promise<string> }> {
  const APP = folderOf(t, appThatSays('start'))
  const cluster = await Cluster.start(t, { APP, EMBED: 'none', WORKERS: '1', ...env })
  await deploy(t, cluster, appThatSays('one'))
  await deploy(t, cluster, appThatSays('two'))
  const text = async (): Promise<string> => (await ask(cluster.url, '/')).text
  return { cluster, client: await ControlClient.of(cluster.dataDir), text }
}

const draftIn = ({ dataDir }: Cluster, id: string): string => join(dataDir, 'releases', `.new-${id}`)

void t.test('a rollback does not wait for an archive that is being received, and ends its deploy', async t => {
  const { cluster, client, text } = await twoReleases(t)
  const { archive } = await heldArchive(t, appThatSays('three'))
  const refused = failureOf(client.deploy(archive, { source: 'held', stages: '' }))
  await until(() => existsSync(draftIn(cluster, 'r3')), 'the begin of the deploy')
  t.match(await failureOf(deploy(t, cluster, appThatSays('four'))), { code: 'DEPLOY_UNDER_WAY' })
  t.match(await failureOf(client.setEnvironment({ set: { A: '1' } })), { code: 'DEPLOY_UNDER_WAY' })
  t.match(await client.rollback(), { release: 'r1' })
  t.equal(await text(), 'one')
  t.match(await refused, { code: 'ROLLED_BACK', message: MESSAGE })
  await until(() => !existsSync(draftIn(cluster, 'r3')), 'the end of what was received')
  t.match(await deploy(t, cluster, appThatSays('five')), { release: 'r4' }, 'the next deploy is taken')
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a rollback does not wait for an installation, and ends it', async t => {
  const { cluster, client, text } = await twoReleases(t)
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
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a deploy goes on after a rollback that has failed, or that has only ended a preview', async t => {
  const folder = folderOf(t, {})
  const cluster = await Cluster.start(t, { APP: folderOf(t, appThatSays('start')), EMBED: 'none', WORKERS: '1' })
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
  await deploy(t, cluster, appThatSays('two'))
  const client = await ControlClient.of(cluster.dataDir)
  await client.deploy(archiveOf(folderOf(t, appThatSays('preview'))), { source: 'test', preview: '1' })
  const { archive, send } = await heldArchive(t, appThatSays('five'))
  const deployed: Promise<Deployed> = client.deploy(archive, { source: 'held', stages: '' })
  await until(() => existsSync(draftIn(cluster, 'r5')), 'the begin of the deploy')
  await client.rollback('r3')
  writeFileSync(gone, '')
  const rollback = failureOf(client.rollback('r1'))
  const isStarting = async (): Promise<boolean> =>
    (await client.status()).processes.some(({ state, release }) => state === 'starting' && release === 'r1')
  await until(isStarting, 'the begin of the rollback')
  send()
  writeFileSync(fails, '')
  t.match(await rollback, { code: 'TAKEN_BACK' })
  t.match(await deployed, { release: 'r5' })
  t.equal((await ask(cluster.url, '/')).text, 'five')
  t.match(await cluster.stop(), { code: 0 })
})

for (const BALANCERS of ['1', '0']) {
  void t.test(`a rollback ends a reload that is under way with BALANCERS=${BALANCERS}`, async t => {
    const stuck = join(folderOf(t, {}), 'stuck')
    const sticking = `import fs from 'node:fs'\nif (fs.existsSync('${stuck}')) await new Promise(() => setInterval(() => {}, 1e6))\n`
    const { 'app.js': code = '', ...files } = appThatSays('two')
    const cluster = await Cluster.start(t, {
      APP: folderOf(t, appThatSays('start')),
      EMBED: 'none',
      WORKERS: '2',
      BALANCERS,
    })
    await deploy(t, cluster, appThatSays('one'))
    await deploy(t, cluster, { ...files, 'app.js': sticking + code })
    const client = await ControlClient.of(cluster.dataDir)
    writeFileSync(stuck, '')
    const starting = async (): Promise<number> =>
      (await client.status()).processes.filter(({ state }) => state === 'starting').length
    const reload = failureOf(client.reload())
    await until(async () => (await starting()) === 1, 'a worker that does not become ready')
    t.match(await failureOf(client.rollback('r9')), { code: 'UNKNOWN_RELEASE' })
    t.match(await failureOf(client.setEnvironment({ set: { A: '1' } })), { code: 'RELOAD_UNDER_WAY' }, 'it goes on')
    const load = new Load(cluster.url, '/', 4)
    const begun = performance.now()
    t.strictSame(await client.rollback(), { release: 'r1' })
    t.comment(`${Math.round(performance.now() - begun)} ms until all clients got the release before`)
    const texts = await Promise.all(Array.from({ length: 20 }, async () => (await ask(cluster.url, '/')).text))
    t.strictSame([...new Set(texts)], ['one'])
    const { failures, answers } = await load.stop()
    t.strictSame([failures, answers.filter(({ status }) => status !== 200)], [[], []])
    t.match(await reload, {
      code: 'ROLLED_BACK',
      message: 'The app was rolled back to release r1 during this reload, so no more workers are replaced.',
    })
    t.strictSame(await client.reload(), { replaced: 2 }, 'the next reload is taken')
    t.match(await cluster.stop(), { code: 0 })
  })

  void t.test(`a rollback during a trial ends the trial at once with BALANCERS=${BALANCERS}`, async t => {
    const { cluster, client, text } = await twoReleases(t, { BALANCERS, WORKERS: '2' })
    const trialOf = async (says: string, step: string, stages: string): Promise<{ error: Promise<ControlError> }> => {
      let error: Promise<ControlError> | undefined
      await new Promise<void>(reached => {
        const deployed = deploy(t, cluster, appThatSays(says), stages, event => {
          if (event.event === step) reached()
        })
        error = failureOf(deployed)
      })
      return { error: error! }
    }
    const clientsOf = async (): Promise<string[]> => [
      ...new Set(await Promise.all(Array.from({ length: 20 }, () => text()))),
    ]

    await t.test('the other clients keep their release, and the deploy is told why, with the figures', async t => {
      const load = new Load(cluster.url, '/', 8)
      const { error } = await trialOf('three', 'baking', '50:600')
      const before = load.answered
      await until(() => load.answered > before + 400, 'answers of both')
      t.match(await failureOf(client.rollback('r3')), { code: 'DEPLOY_UNDER_WAY' }, 'that one is on trial')
      t.match(await failureOf(client.rollback('r9')), { code: 'UNKNOWN_RELEASE' })
      const events: string[] = []
      const begun = performance.now()
      t.strictSame(await client.rollback(undefined, ({ event }) => events.push(event)), { release: 'r2' })
      t.comment(`${Math.round(performance.now() - begun)} ms until the trial had ended`)
      t.strictSame(events, ['withdrawing'])
      t.strictSame(await clientsOf(), ['two'])
      const { failures, answers } = await load.stop()
      t.strictSame([failures, answers.filter(({ status }) => status !== 200)], [[], []])
      t.ok(answers.some(answer => answer.text === 'three'))
      const { code, message, report } = await error
      t.strictSame([code, message], ['ROLLED_BACK', 'release r3 is taken back: the app was rolled back to r2'])
      t.ok((report?.fresh.requests ?? 0) > 0 && (report?.before.requests ?? 0) > 0, 'both have figures')
      t.equal(report?.remark, undefined)
      t.match(await client.releases(), [
        { id: 'r3', state: 'taken-back', reason: 'the app was rolled back to r2' },
        { id: 'r2', state: 'live' },
      ])
    })

    await t.test('another release that is named takes over', async t => {
      const { error } = await trialOf('four', 'baking', '50:600')
      t.strictSame(await client.rollback('r1'), { release: 'r1' })
      t.strictSame(await clientsOf(), ['one'])
      t.match(await error, { code: 'ROLLED_BACK', message: /r4 is taken back: the app was rolled back to r1$/ })
      t.strictSame(await client.rollback(), { release: 'r2' }, 'it was live before that')
    })

    await t.test('a change of variables is on its way as well, and is ended', async t => {
      let error: Promise<ControlError> | undefined
      await new Promise<void>(reached => {
        const set = client.setEnvironment({ set: { A: '1' } }, ({ event }) => {
          if (event === 'filling') reached()
        })
        error = failureOf(set)
      })
      t.strictSame(await client.rollback(), { release: 'r2' })
      t.match(await error, { code: 'ROLLED_BACK' })
      t.strictSame(await client.environment(), {})
    })
    t.match(await cluster.stop(), { code: 0 })
  })
}

void t.test('a rollback that the disk does not record serves all clients, is said, and is recorded later', async t => {
  const { cluster, client, text } = await twoReleases(t)
  const { dataDir } = cluster
  const obstacle = join(dataDir, 'releases', 'state.before.json.new')
  const live = (): unknown => JSON.parse(readFileSync(join(dataDir, 'releases', 'state.json'), 'utf8'))
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
  await cluster.gone()
  const again = await Cluster.start(t, {
    APP: folderOf(t, appThatSays('start')),
    EMBED: 'none',
    WORKERS: '1',
    DATA_DIR: dataDir,
  })
  t.equal((await ask(again.url, '/')).text, 'one')
  t.match(await again.stop(), { code: 0 })
})

void t.test('after a kill before the record the release serves that was live before the rollback', async t => {
  const { cluster, client, text } = await twoReleases(t)
  const { dataDir } = cluster
  const obstacle = join(dataDir, 'releases', 'state.before.json.new')
  mkdirSync(obstacle)
  await client.rollback()
  t.equal(await text(), 'one')
  cluster.signal('SIGKILL')
  await cluster.gone()
  rmdirSync(obstacle)
  const again = await Cluster.start(t, {
    APP: folderOf(t, appThatSays('start')),
    EMBED: 'none',
    WORKERS: '1',
    DATA_DIR: dataDir,
  })
  t.equal((await ask(again.url, '/')).text, 'two')
  t.match(await again.stop(), { code: 0 })
})

void t.test('a rollback to files that were changed after their deploy says so, and the next start does', async t => {
  const { cluster, client } = await twoReleases(t)
  const { dataDir } = cluster
  t.strictSame(await client.rollback(), { release: 'r1' }, 'unchanged files are no remark')
  await client.rollback('r2')
  appendFileSync(join(dataDir, 'releases/r1/app/app.js'), '// changed')
  writeFileSync(join(dataDir, 'releases/r1/app/data.db'), 'new')
  const changed = { count: 1, files: ['app.js'] }
  t.strictSame(await client.rollback(), { release: 'r1', changed })
  t.match(await cluster.stop(), { code: 0 })
  const env = { APP: folderOf(t, appThatSays('start')), EMBED: 'none', WORKERS: '1', DATA_DIR: dataDir }
  const again = await Cluster.start(t, env)
  const line = await again.printed(/files of release have changed since it was deployed/)
  t.match(JSON.parse(line), { level: 'warn', release: 'r1', ...changed })
  t.match(await again.stop(), { code: 0 })
})
