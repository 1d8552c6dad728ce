import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ControlError } from '#src/control/protocol.js'
import { ask, Load } from '../../helpers/client.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { appThatSays, deploy, folderOf } from '../../helpers/releases.js'

const CLIENTS = 2

/** Rollbacks that end changes in the middle, with releases `r1` and `r2` of which `r2` is live. */
export async function rollbackSuite(t: Test, env: Record<string, string>): Promise<void> {
  const stuck = join(folderOf(t, {}), 'stuck')
  const sticking = `import fs from 'node:fs'\nif (fs.existsSync('${stuck}')) await new Promise(() => setInterval(() => {}, 1e6))\n`
  const { 'app.js': code = '', ...files } = appThatSays('two')
  const cluster = await Cluster.start(t, {
    APP: folderOf(t, appThatSays('start')),
    EMBED: 'none',
    WORKERS: '2',
    ...env,
  })
  await deploy(t, cluster, appThatSays('one'))
  await deploy(t, cluster, { ...files, 'app.js': sticking + code })
  const client = await ControlClient.of(cluster.dataDir)
  const textsOfClients = async (): Promise<string[]> => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(cluster.url, '/')))
    return [...new Set(answers.map(({ text }) => text))]
  }
  const trialOf = async (says: string): Promise<{ error: Promise<ControlError> }> => {
    let error: Promise<ControlError> | undefined
    await new Promise<void>(reached => {
      const deployed = deploy(t, cluster, appThatSays(says), '50:600', event => {
        if (event.event === 'baking') reached()
      })
      error = failureOf(deployed)
    })
    return { error: error! }
  }

  await t.test('a rollback during a trial ends it at once', async t => {
    await t.test('the other clients keep their release, and the deploy is told why, with the figures', async t => {
      const load = new Load(cluster.url, '/', CLIENTS)
      const { error } = await trialOf('three')
      const before = load.answered
      await until(() => load.answered > before + 200, 'answers of both')
      t.match(await failureOf(client.rollback('r3')), { code: 'DEPLOY_UNDER_WAY' }, 'that one is on trial')
      t.match(await failureOf(client.rollback('r9')), { code: 'UNKNOWN_RELEASE' })
      const events: string[] = []
      const begun = performance.now()
      t.strictSame(await client.rollback(undefined, ({ event }) => events.push(event)), { release: 'r2' })
      t.comment(`${Math.round(performance.now() - begun)} ms until the trial had ended`)
      t.strictSame(events, ['withdrawing'])
      t.strictSame(await textsOfClients(), ['two'])
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
      const { error } = await trialOf('four')
      t.strictSame(await client.rollback('r1'), { release: 'r1' })
      t.strictSame(await textsOfClients(), ['one'])
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
  })

  await t.test('a rollback ends a reload that is under way', async t => {
    writeFileSync(stuck, '')
    const starting = async (): Promise<number> =>
      (await client.status()).processes.filter(({ state }) => state === 'starting').length
    const reload = failureOf(client.reload())
    await until(async () => (await starting()) === 1, 'a worker that does not become ready')
    t.match(await failureOf(client.rollback('r9')), { code: 'UNKNOWN_RELEASE' })
    t.match(await failureOf(client.setEnvironment({ set: { A: '1' } })), { code: 'RELOAD_UNDER_WAY' }, 'it goes on')
    const load = new Load(cluster.url, '/', CLIENTS)
    const begun = performance.now()
    t.strictSame(await client.rollback(), { release: 'r1' })
    t.comment(`${Math.round(performance.now() - begun)} ms until all clients got the release before`)
    t.strictSame(await textsOfClients(), ['one'])
    const { failures, answers } = await load.stop()
    t.strictSame([failures, answers.filter(({ status }) => status !== 200)], [[], []])
    t.match(await reload, {
      code: 'ROLLED_BACK',
      message: 'The app was rolled back to release r1 during this reload, so no more workers are replaced.',
    })
    t.strictSame(await client.reload(), { replaced: 2 }, 'the next reload is taken')
  })
  t.match(await cluster.stop(), { code: 0 })
}
