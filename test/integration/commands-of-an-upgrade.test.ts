import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { Status } from '#src/control/protocol.js'
import { ask } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { Shell, type Ran } from '../helpers/command.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { otherVersion, strangeVersion } from '../helpers/other-version.js'
import { isAlive } from '../helpers/processes.js'
import { appThatSays, deploy, folderOf, heldArchive } from '../helpers/releases.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

/** Between two versions: the old one takes no commands any more, and ends when a file is there. */
async function betweenTwoVersions(t: Test): Promise<{ cluster: Cluster; next: number; goOn: () => void }> {
  const cluster = await Cluster.start(t, { APP: fixture('factory-app.js'), WORKERS: '1' })
  const file = join(cluster.dataDir, 'go')
  void ask(cluster.url, `/wait?until=${file}`).catch(() => undefined)
  await cluster.printed(/waiting for/)
  const client = await ControlClient.of(cluster.dataDir)
  const { pid: next } = await client.upgrade({ program: otherVersion('9.0.0') })
  const isClosed = (): Promise<boolean> =>
    client.status().then(
      () => false,
      () => true,
    )
  await until(isClosed, 'the old version to end its commands')
  return { cluster, next, goOn: () => writeFileSync(file, '') }
}

/** Types a command, and goes on once it waits. */
async function waiting(
  shell: Shell,
  words: string[],
  env: Record<string, string> = {},
): Promise<{ ran: Promise<Ran> }> {
  let ran: Promise<Ran> | undefined
  await new Promise<void>((resolve, reject) => {
    ran = shell.run(words, { env, onError: text => (/an upgrade is under way/.test(text) ? resolve() : undefined) })
    void ran.then(({ code, err }) => reject(new Error(`it ended with ${String(code)}: ${err}`)))
  })
  return { ran: ran! }
}

void t.test('a command in the middle of an upgrade waits for the version that takes over', async t => {
  const { cluster, next, goOn } = await betweenTwoVersions(t)
  const shell = new Shell(t)
  const { ran } = await waiting(shell, ['scale', '2', '--data-dir', cluster.dataDir])
  // It is the only instance of this user, too.
  const { ran: only } = await waiting(shell, ['status'], { XDG_STATE_HOME: cluster.dataDir })
  goOn()
  t.match(await ran, { code: 0 })
  t.match(await only, { code: 0, out: /9\.0\.0/ })
  t.match(await (await ControlClient.of(cluster.dataDir)).status(), { pid: next, wanted: { workers: 2 } })
  t.match(await cluster.stop(), { code: 0 })
  t.notOk(existsSync(join(cluster.dataDir, 'upgrade.json')))
})

void t.test('outpost stop in the middle of an upgrade stops the version that takes over', async t => {
  const { cluster, next, goOn } = await betweenTwoVersions(t)
  const { ran } = await waiting(new Shell(t), ['stop', '--data-dir', cluster.dataDir])
  goOn()
  t.match(await ran, { code: 0 })
  t.match(await cluster.exited, { code: 0 })
  await until(() => !isAlive(next), 'its end')
  await cluster.gone()
})

void t.test('commands do not wait for an upgrade that a crash has cut off', async t => {
  const { cluster } = await betweenTwoVersions(t)
  const sign = readFileSync(join(cluster.dataDir, 'upgrade.json'))
  cluster.signal('SIGKILL')
  await cluster.exited
  await cluster.gone()
  t.strictSame(readFileSync(join(cluster.dataDir, 'upgrade.json')), sign, 'it is left behind')
  const ran = await new Shell(t).run(['status', '--data-dir', cluster.dataDir])
  t.match(ran, { code: 69, err: /no Outpost runs on/ })
  t.notMatch(ran.err, /upgrade/)
})

void t.test('from the moment that an upgrade is under way, nothing is begun that would end with it', async t => {
  const cluster = await Cluster.start(t, { APP: folderOf(t, appThatSays('start')), EMBED: 'none', WORKERS: '1' })
  await deploy(t, cluster, appThatSays('one'))
  const client = await ControlClient.of(cluster.dataDir)
  const changes = (): Array<Promise<unknown>> => [
    client.reload(),
    client.scale({ workers: 2 }),
    deploy(t, cluster, appThatSays('two')),
    client.setEnvironment({ set: { A: '1' } }),
    client.activate('start'),
    client.rollback(),
    client.pause({ seconds: 5, drain: false }),
  ]
  const refused = async (): Promise<void> => {
    for (const failure of changes().map(failureOf))
      t.match(await failure, { code: 'UPGRADE_UNDER_WAY', message: /again/ })
  }
  const program = strangeVersion(t, '')
  writeFileSync(
    program,
    `import { existsSync } from 'node:fs'
    const look = () => existsSync('${program}.end') ? process.exit(3) : setTimeout(look, 20)
    process.once('message', look)`,
  )
  const useless = failureOf(client.upgrade({ program }))
  await until(
    () =>
      client.scale({ workers: 1 }).then(
        () => false,
        () => true,
      ),
    'the upgrade',
  )
  await refused()
  writeFileSync(`${program}.end`, '')
  t.match(await useless, { code: 'UPGRADE_REFUSED' })
  t.match(await client.scale({ workers: 1 }), { workers: 1 }, 'after an upgrade that was refused they are taken')
  const { pid } = await client.upgrade({ program: otherVersion('9.0.0') })
  await refused()
  const isNew = (status: Status | undefined): boolean => status?.pid === pid && status.state === 'serving'
  await until(() => client.status().then(isNew, () => false), 'the new version', 60_000)
  t.strictSame(
    (await client.releases()).map(({ id }) => id),
    ['r1', 'start'],
    'nothing of it was begun',
  )
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('an upgrade is refused until a deploy or a reload is over, however far that is', async t => {
  const folder = folderOf(t, appThatSays('start'))
  const cluster = await Cluster.start(t, { APP: folder, EMBED: 'none', WORKERS: '1' })
  const client = await ControlClient.of(cluster.dataDir)
  const program = otherVersion('9.0.0')
  const { archive, send } = await heldArchive(t, appThatSays('one'))
  const deployed = client.deploy(archive, { source: 'held', stages: '' })
  const draft = join(cluster.dataDir, 'releases', '.new-r1')
  await until(() => existsSync(draft), 'the begin of the deploy')
  t.match(await failureOf(client.upgrade({ program })), { code: 'DEPLOY_UNDER_WAY' })
  send()
  t.match(await deployed, { release: 'r1' })
  const reloaded = client.reload()
  await until(() => cluster.pids('worker').length > 1, 'the reload')
  t.match(await failureOf(client.upgrade({ program })), { code: 'RELOAD_UNDER_WAY' })
  await reloaded
  t.match(await client.upgrade({ program }), { to: '9.0.0' })
  t.match(await cluster.stop(), { code: 0 })
})
