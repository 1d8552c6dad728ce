import { readFileSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ControlError, DeployProgress } from '#src/control/protocol.js'
import { ask, Load } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'
import { MODES } from '../helpers/modes.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

const withLock = {
  'package-lock.json': '{"name":"x","lockfileVersion":3,"requires":true,"packages":{"":{}}}',
  Procfile: 'release: sleep 60\n',
}

/** The moment at which the primary is killed: an event of the deploy, or the change of a file of the releases. */
type Moment = {
  readonly on: DeployProgress['event']
  /** No process of the new release runs yet, so that both modes are alike. */
  readonly isEarly?: boolean
  readonly stages?: string
  readonly files?: Record<string, string>
}

const moments: Record<string, Moment> = {
  'when the archive has come': { on: 'received', isEarly: true },
  'during the installation': { on: 'installing', isEarly: true, files: withLock },
  'during the trial': { on: 'baking', stages: '50:60' },
  'when the rest of the workers start': { on: 'filling' },
}

/** Starts the program on the same DATA_DIR, and looks at what clients get. */
async function servedAfter(
  t: Test,
  env: Record<string, string>,
  { dataDir }: Cluster,
): Promise<{ texts: string[]; live: string }> {
  const again = await Cluster.start(t, { ...env, DATA_DIR: dataDir })
  const load = new Load(again.url, '/')
  await until(() => load.answered > 50, 'answers')
  const { answers, failures } = await load.stop()
  t.strictSame(failures, [])
  const releases = await (await ControlClient.of(dataDir)).releases()
  t.equal(releases.filter(({ state }) => state === 'deploying').length, 0)
  const live = releases.find(({ state }) => state === 'live')?.id ?? ''
  t.match(await again.stop(), { code: 0 })
  return { texts: [...new Set(answers.map(({ status, text }) => `${status} ${text}`))], live }
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  for (const [when, { on, isEarly = false, stages = '', files = {} }] of Object.entries(moments)) {
    if (isEarly && BALANCERS === '0') continue
    void t.test(`after a kill ${when}, the next start serves the old release whole, in ${mode}`, async t => {
      const env = { APP: folderOf(t, appThatSays('start')), EMBED: 'none', BALANCERS }
      const cluster = await Cluster.start(t, env)
      await deploy(t, cluster, appThatSays('one'))
      let cut: Promise<ControlError> | undefined
      await new Promise<void>(resolve => {
        const deployed = deploy(t, cluster, { ...appThatSays('two'), ...files }, stages, ({ event }) => {
          if (event === on) resolve()
        })
        cut = failureOf(deployed)
      })
      cluster.signal('SIGKILL')
      await cluster.exited
      t.match(
        await cut,
        { code: 'STOPPING', message: /^Outpost ended before its answer did/ },
        'whoever deploys is told',
      )
      t.strictSame(await servedAfter(t, env, cluster), { texts: ['200 one'], live: 'r1' })
    })
  }
}

for (const [what, file] of [
  ['the new release is noted as good', 'r2/release.json'],
  ['the new release is recorded as the live one', 'state.json'],
] as const) {
  void t.test(`after a kill of the primary at the moment when ${what}, one release is served whole`, async t => {
    const env = { APP: folderOf(t, appThatSays('start')), EMBED: 'none' }
    const cluster = await Cluster.start(t, env)
    await deploy(t, cluster, appThatSays('one'))
    let isFilling = false
    const deployed = deploy(t, cluster, appThatSays('two'), '', ({ event }) => {
      if (event === 'filling') isFilling = true
    })
    deployed.catch(() => undefined)
    await until(() => isFilling, 'the last step')
    const path = join(cluster.dataDir, 'releases', file)
    const folder = join(path, '..')
    const watcher = watch(folder, (_event, name) => {
      if (name === path.slice(folder.length + 1)) cluster.signal('SIGKILL')
    })
    t.teardown(() => watcher.close())
    await cluster.exited
    watcher.close()
    const { texts, live } = await servedAfter(t, env, cluster)
    t.strictSame(texts, [live === 'r2' ? '200 two' : '200 one'])
    if (file === 'state.json') t.equal(live, 'r2', 'what is recorded counts')
  })
}

void t.test('after a kill of the primary right after a deploy, the next start serves the new release', async t => {
  const env = { APP: folderOf(t, appThatSays('start')), EMBED: 'none' }
  const cluster = await Cluster.start(t, env)
  await deploy(t, cluster, appThatSays('one'))
  t.equal((await ask(cluster.url, '/')).text, 'one')
  cluster.signal('SIGKILL')
  await cluster.exited
  t.strictSame(await servedAfter(t, env, cluster), { texts: ['200 one'], live: 'r1' })
})

void t.test(
  'after a power cut that has damaged the live release, the next start serves the one before, and says so',
  async t => {
    const env = { APP: folderOf(t, appThatSays('start')), EMBED: 'none' }
    const cluster = await Cluster.start(t, env)
    await deploy(t, cluster, appThatSays('one'))
    await deploy(t, cluster, appThatSays('two'))
    cluster.signal('SIGKILL')
    await cluster.exited
    await cluster.gone()
    writeFileSync(join(cluster.dataDir, 'releases', 'r2', 'app', 'app.js'), '')
    t.strictSame(await servedAfter(t, env, cluster), { texts: ['200 one'], live: 'r1' })
    const log = readFileSync(join(cluster.dataDir, 'logs', 'outpost.log'), 'utf8')
    t.match(log, /live release r2 is damaged: .*app\.js is empty; r1 is served/)
  },
)
