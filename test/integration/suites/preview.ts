import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { Deployed } from '#src/control/protocol.js'
import { ask, cookieOf, Load } from '../../helpers/client.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { Shell } from '../../helpers/command.js'
import { until } from '../../helpers/deadline.js'
import { appThatSays, archiveOf, folderOf } from '../../helpers/releases.js'

/** The life of previews in one instance. */
export async function previewSuite(t: Test, BALANCERS: string): Promise<void> {
  const APP = folderOf(t, appThatSays('old'))
  const cluster = await Cluster.start(t, { APP, BALANCERS, EMBED: 'none' })
  const client = await ControlClient.of(cluster.dataDir)
  const preview = (text: string, before = ''): Promise<Deployed> =>
    client.deploy(archiveOf(folderOf(t, appThatSays(text, before))), { source: 'test', preview: '1' })
  const textOf = async (headers: Record<string, string> = {}): Promise<string> =>
    (await ask(cluster.url, '/', { headers })).text
  const statesOf = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await client.releases()).map(({ id, state }) => [id, state]))

  let cookie = ''
  await t.test('only clients with the link or the host name get the release in preview', async t => {
    const load = new Load(cluster.url, '/', 4)
    const deployed = await preview('new')
    t.match(deployed, { release: 'r1', preview: { host: 'r1.preview', link: /^\/\?outpost_preview=r1\.[\w-]{32}$/ } })
    t.match(await client.status(), { release: 'start', preview: { release: 'r1', ready: true } })
    t.match(await statesOf(), { r1: 'preview', start: 'live' })
    const link = await ask(cluster.url, deployed.preview?.link ?? '')
    t.match(link, { status: 303, headers: { location: '/' } })
    cookie = cookieOf(link)
    for (let i = 0; i < 10; i++) t.equal(await textOf({ cookie }), 'new')
    t.equal(await textOf({ host: 'r1.preview.shop.example' }), 'new')
    const { answers, failures } = await load.stop()
    t.strictSame([failures, [...new Set(answers.map(({ text }) => text))]], [[], ['old']])
  })

  await t.test('a preview takes the place of the previous one, whose cookie is then of no use', async t => {
    await preview('newer')
    t.match(await statesOf(), { r1: 'kept', r2: 'preview', start: 'live' })
    t.equal(await textOf({ cookie }), 'old')
    t.equal(await textOf({ host: 'r2.preview.localhost' }), 'newer')
  })

  await t.test('a preview is made live under load, without a lost request', async t => {
    const load = new Load(cluster.url, '/', 4)
    t.match(await client.activate('r2'), { release: 'r2' })
    t.equal(await textOf(), 'newer')
    const { answers, failures } = await load.stop()
    t.strictSame([failures, answers.filter(({ status }) => status !== 200)], [[], []])
    t.match(await client.status(), { release: 'r2', preview: undefined })
    t.match(await failureOf(client.activate('r2')), { code: 'ALREADY_LIVE', message: /^Release r2 is live already/ })
    t.match(await failureOf(client.activate('r9')), { code: 'UNKNOWN_RELEASE' })
  })

  await t.test('a preview that does not start is taken back, and nothing has changed', async t => {
    const error = await failureOf(
      client.deploy(
        archiveOf(folderOf(t, { 'app.mjs': 'throw new Error("broken")', 'package.json': '{"main":"app.mjs"}' })),
        {
          source: 'test',
          preview: '1',
        },
      ),
    )
    t.match(error, { code: 'TAKEN_BACK', message: /^release r3 is taken back: .*did not become ready/ })
    t.match(await statesOf(), { r3: 'taken-back', r2: 'live' })
    t.equal((await client.status()).preview, undefined)
  })

  await t.test(
    'a rollback to the live release ends the preview alone, and the command tells how to get there',
    async t => {
      const shell = new Shell(t)
      const { code, out } = await shell.run([
        'deploy',
        folderOf(t, appThatSays('newest')),
        '--preview',
        '--data-dir',
        cluster.dataDir,
      ])
      t.equal(code, 0)
      const [, path = ''] = /^ {2}http:\/\/127\.0\.0\.1:\d+(\/\?outpost_preview=r4\.\S+)/m.exec(out) ?? []
      t.match(out, new RegExp(`^ {2}http://r4\\.preview\\.localhost:${cluster.port}/`, 'm'))
      const kept = cookieOf(await ask(cluster.url, path))
      t.equal(await textOf({ cookie: kept }), 'newest')
      t.match((await shell.run(['status', '--data-dir', cluster.dataDir])).out, /release +r2; r4 is in preview\n/)
      t.match(await client.rollback('r2'), { release: 'r2' })
      t.equal(await textOf({ cookie: kept }), 'newer')
      const isGone = async (): Promise<boolean> =>
        (await client.status()).processes.every(({ release }) => release !== 'r4')
      await until(isGone, 'the end of its worker')
    },
  )

  await t.test('after a kill -9 in the middle of an activation the next start serves the old release', async t => {
    let isTried: () => void = () => undefined
    const tried = new Promise<void>(resolve => (isTried = resolve))
    const activated = failureOf(client.activate('r4', '50:60', ({ event }) => event === 'baking' && isTried()))
    await tried
    cluster.signal('SIGKILL')
    await activated.catch(() => undefined)
    await cluster.gone()
    const again = await Cluster.start(t, { BALANCERS, EMBED: 'none', WORKERS: '1', DATA_DIR: cluster.dataDir, APP })
    t.equal((await ask(again.url, '/')).text, 'newer')
    const restarted = await ControlClient.of(again.dataDir)
    t.match(await restarted.activate('r4'), { release: 'r4' }, 'its files are there')
    t.equal((await ask(again.url, '/')).text, 'newest')
  })
}

/** A preview over two starts of the program. */
export async function previewOverStarts(t: Test, BALANCERS: string): Promise<void> {
  const APP = folderOf(t, appThatSays('old'))
  const env = { APP, BALANCERS, EMBED: 'none', WORKERS: '1' }
  const cluster = await Cluster.start(t, env)
  const archive = archiveOf(folderOf(t, appThatSays('new')))
  const query = { source: 'test', preview: '1' }
  const { preview } = await (await ControlClient.of(cluster.dataDir)).deploy(archive, query)
  cluster.signal('SIGKILL')
  await cluster.gone()

  const again = Cluster.spawn(t, { ...env, DATA_DIR: cluster.dataDir })
  await again.serving()
  const client = await ControlClient.of(cluster.dataDir)
  const isReady = async (): Promise<boolean> => (await client.status()).preview?.ready === true
  await until(isReady, 'the preview')
  const cookie = cookieOf(await ask(again.url, preview?.link ?? ''))
  const looked = async (): Promise<string> => (await ask(again.url, '/', { headers: { cookie } })).text
  await until(async () => (await looked()) === 'new', 'an answer of it')
  t.equal((await ask(again.url, '/')).text, 'old')
  t.match(await client.rollback('start'), { release: 'start' })
  t.equal(await looked(), 'old')
  t.match(await again.stop(), { code: 0 })

  const third = await Cluster.start(t, { ...env, DATA_DIR: cluster.dataDir })
  const status = await (await ControlClient.of(cluster.dataDir)).status()
  t.equal(status.preview, undefined, 'one that was ended does not come back')
  t.equal((await ask(third.url, '/', { headers: { cookie } })).text, 'old')
}
