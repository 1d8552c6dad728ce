import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { Status } from '#src/control/protocol.js'
import { ask } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { Shell, type Ran } from '../helpers/command.js'
import { until } from '../helpers/deadline.js'
import { otherVersion, strangeVersion } from '../helpers/other-version.js'
import { isAlive } from '../helpers/processes.js'
import { appThatSays, deploy, folderOf, heldArchive } from '../helpers/releases.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

/** Answers once the file `until` exists. */
const app = `
const { existsSync } = require('node:fs')
require('node:http').createServer((request, response) => {
  const file = new URL(request.url, 'http://app').searchParams.get('until')
  console.log('waiting for ' + file)
  setInterval(() => existsSync(file) && response.end('x'), 10)
}).listen(process.env.PORT)
`

function patientCluster(t: Test): Promise<Cluster> {
  const APP = join(folderOf(t, { 'app.js': app }), 'app.js')
  return Cluster.start(t, { APP, EMBED: 'none', WORKERS: '1' })
}

/** Between two versions: the old one takes no commands any more, and ends when a file is there. */
async function betweenTwoVersions(cluster: Cluster, version: string): Promise<{ next: number; goOn: () => void }> {
  const file = join(cluster.dataDir, version)
  void ask(cluster.url, `/?until=${file}`).catch(() => undefined)
  await cluster.printed(new RegExp(`waiting for ${file}`))
  const client = await ControlClient.of(cluster.dataDir)
  const { pid: next } = await client.upgrade({ program: otherVersion(version) })
  const isClosed = (): Promise<boolean> =>
    client.status().then(
      () => false,
      () => true,
    )
  await until(isClosed, 'the old version to end its commands')
  return { next, goOn: () => writeFileSync(file, '') }
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

void t.test('commands in the middle of an upgrade are for the version that takes over', async t => {
  const cluster = await patientCluster(t)

  await t.test('a command waits for the version that takes over', async t => {
    const { next, goOn } = await betweenTwoVersions(cluster, '9.0.0')
    const shell = new Shell(t)
    const { ran } = await waiting(shell, ['scale', '2', '--data-dir', cluster.dataDir])
    // It is the only instance of this user, too.
    const { ran: only } = await waiting(shell, ['status'], { XDG_STATE_HOME: cluster.dataDir })
    goOn()
    t.match(await ran, { code: 0 })
    t.match(await only, { code: 0, out: /9\.0\.0/ })
    t.match(await (await ControlClient.of(cluster.dataDir)).status(), { pid: next, wanted: { workers: 2 } })
  })

  await t.test('outpost stop stops the version that takes over', async t => {
    const { next, goOn } = await betweenTwoVersions(cluster, '9.1.0')
    const { ran } = await waiting(new Shell(t), ['stop', '--data-dir', cluster.dataDir])
    goOn()
    t.match(await ran, { code: 0 })
    t.match(await cluster.exited, { code: 0 })
    await until(() => !isAlive(next), 'its end')
    await cluster.gone()
    t.notOk(existsSync(join(cluster.dataDir, 'upgrade.json')))
  })
})

void t.test('commands do not wait for an upgrade that a crash has cut off', async t => {
  const cluster = await patientCluster(t)
  await betweenTwoVersions(cluster, '9.0.0')
  const sign = readFileSync(join(cluster.dataDir, 'upgrade.json'))
  cluster.signal('SIGKILL')
  await cluster.exited
  await cluster.gone()
  t.strictSame(readFileSync(join(cluster.dataDir, 'upgrade.json')), sign, 'it is left behind')
  const ran = await new Shell(t).run(['status', '--data-dir', cluster.dataDir])
  t.match(ran, { code: 69, err: /no Outpost runs on/ })
  t.notMatch(ran.err, /upgrade/)
})

void t.test('nothing ends with an upgrade that has begun before, or is begun during it', async t => {
  const cluster = await Cluster.start(t, { APP: folderOf(t, appThatSays('start')), EMBED: 'none', WORKERS: '1' })
  const client = await ControlClient.of(cluster.dataDir)

  await t.test('an upgrade is refused until a deploy or a reload is over, however far that is', async t => {
    const program = otherVersion('9.0.0')
    const { archive, send } = await heldArchive(t, appThatSays('one'))
    const deployed = client.deploy(archive, { source: 'held', stages: '' })
    const draft = join(cluster.dataDir, 'releases', '.new-r1')
    await until(() => existsSync(draft), 'the start of the deploy')
    t.match(await failureOf(client.upgrade({ program })), { code: 'DEPLOY_UNDER_WAY' })
    send()
    t.match(await deployed, { release: 'r1' })
    const before = cluster.pids('worker')
    const reloaded = client.reload()
    await until(() => cluster.pids('worker').some(pid => !before.includes(pid)), 'the reload')
    t.match(await failureOf(client.upgrade({ program })), { code: 'RELOAD_UNDER_WAY' })
    await reloaded
  })

  await t.test('from the moment that one is under way, nothing is begun that would end with it', async t => {
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
    const { pid, to } = await client.upgrade({ program: otherVersion('9.0.0') })
    t.equal(to, '9.0.0', 'after the reload as well')
    await refused()
    const isNew = (status: Status | undefined): boolean => status?.pid === pid && status.state === 'serving'
    await until(() => client.status().then(isNew, () => false), 'the new version', 60_000)
    t.strictSame(
      (await client.releases()).map(({ id }) => id),
      ['r1', 'start'],
      'nothing of it was begun',
    )
  })
  t.match(await cluster.stop(), { code: 0 })
})
