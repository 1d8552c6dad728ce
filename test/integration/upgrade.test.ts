import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { Status } from '#src/control/protocol.js'
import { titleOf } from '#scripts/lib/proc.js'
import { ask, Load } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { Shell } from '../helpers/command.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { folderOf } from '../helpers/releases.js'
import { otherVersion, strangeVersion, uselessVersion } from '../helpers/other-version.js'
import { isAlive, kill } from '../helpers/processes.js'

const app = `
require('node:http').createServer((request, response) => response.end('x')).listen(process.env.PORT)
`

async function clusterOf(t: Test, settings: Record<string, string>): Promise<Cluster> {
  return Cluster.start(t, { APP: join(folderOf(t, { 'app.js': app }), 'app.js'), EMBED: 'none', ...settings })
}

/** Orders an upgrade and waits until another primary serves. */
async function upgrade(cluster: Cluster, program: string): Promise<Status> {
  const client = await ControlClient.of(cluster.dataDir)
  const { pid } = await client.status()
  await client.upgrade({ program })
  return nextStatus(cluster, pid)
}

async function nextStatus(cluster: Cluster, before: number): Promise<Status> {
  let status: Status | undefined
  const serves = async (): Promise<boolean> => {
    status = await ControlClient.of(cluster.dataDir)
      .then(client => client.status())
      .catch(() => undefined)
    return status?.state === 'serving' && status.pid !== before
  }
  await until(serves, 'another primary to serve', 60_000)
  return status!
}

for (const [mode, BALANCERS] of Object.entries({ 'default mode': '1', 'two balancers': '2', 'mesh mode': '0' })) {
  void t.test(`another version takes over without a refused or lost request, with ${mode}`, async t => {
    const cluster = await clusterOf(t, { BALANCERS })
    const kept = new Load(cluster.url, '/')
    let stopped = false
    const failures: unknown[] = []
    let fresh = 0
    const connecting = Array.from({ length: 2 }, async () => {
      while (!stopped) {
        await ask(cluster.url, '/').then(
          ({ status }) => (status === 200 ? (fresh += 1) : failures.push(status)),
          (error: unknown) => failures.push(error),
        )
        await sleep(4)
      }
    })
    const first = await upgrade(cluster, otherVersion('9.0.0'))
    t.equal(first.version, '9.0.0')
    t.equal(titleOf(cluster.pid), 'outpost launcher', 'the process that was started stays')
    const second = await upgrade(cluster, otherVersion('9.1.0'))
    t.equal(second.version, '9.1.0')
    const before = fresh
    await until(() => fresh > before, 'an answer of the new version')
    stopped = true
    await Promise.all(connecting)
    const { answers, failures: lost } = await kept.stop()
    t.strictSame(failures, [], 'no new connection is refused or lost')
    t.strictSame(lost, [], 'no kept connection is cut under a request')
    t.ok(answers.every(({ status }) => status === 200))
    t.strictSame(cluster.pids('primary'), [second.pid], 'of the programs in between nothing is left')
    t.match(await cluster.stop(), { code: 0 })
  })
}

void t.test('a request in flight is answered before the other version takes over', async t => {
  const cluster = await Cluster.start(t, { APP: fixture('factory-app.js') })
  const file = join(cluster.dataDir, 'go')
  const answer = ask(cluster.url, `/wait?until=${file}`)
  await cluster.printed(/waiting for/)
  const client = await ControlClient.of(cluster.dataDir)
  const { pid } = await client.status()
  await client.upgrade({ program: otherVersion('9.0.0') })
  await until(
    () =>
      ControlClient.of(cluster.dataDir).then(
        () => false,
        () => true,
      ),
    'the old version to end its commands',
  )
  const waiting = ask(cluster.url, '/whoami')
  writeFileSync(file, '')
  t.match(await answer, { status: 200 })
  t.match(await waiting, { status: 200 }, 'a connection of the meantime waits')
  t.match(await nextStatus(cluster, pid), { version: '9.0.0' })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a request that takes too long is cut, where the upgrade has a bound for it', async t => {
  const cluster = await Cluster.start(t, { APP: fixture('factory-app.js'), SHUTDOWN_TIMEOUT_MS: '300000' })
  const cut = ask(cluster.url, '/wait?until=/never').catch((error: unknown) => error)
  await cluster.printed(/waiting for/)
  const client = await ControlClient.of(cluster.dataDir)
  const { pid } = await client.status()
  await client.upgrade({ program: otherVersion('9.0.0'), within: 1 })
  t.match(await nextStatus(cluster, pid), { version: '9.0.0' })
  t.ok((await cut) instanceof Error)
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a version that cannot serve changes nothing', async t => {
  const cluster = await clusterOf(t, {})
  const client = await ControlClient.of(cluster.dataDir)
  const { pid } = await client.status()
  const files = { 'package.json': '{"name":"outpost"}', 'dist/main.js': 'process.exit(3)' }
  const broken = join(folderOf(t, files), 'dist/main.js')
  const error = await failureOf(client.upgrade({ program: broken }))
  t.match(error, { code: 'UPGRADE_REFUSED', message: /exit code 3/ })
  const code = 'UPGRADE_REFUSED'
  const gone = { code, message: 'nothing has changed: /nowhere/main.js does not exist' }
  t.match(await failureOf(client.upgrade({ program: '/nowhere/main.js' })), gone)
  t.match(await failureOf(client.upgrade({ program: dirname(broken) })), { code, message: /dist is not a file: name/ })
  const ran = join(folderOf(t, {}), 'ran')
  const other = {
    'app.js': `require('node:fs').writeFileSync(${JSON.stringify(ran)}, '')`,
    'package.json': '{"name":"x"}',
  }
  const stranger = join(folderOf(t, other), 'app.js')
  t.match(await failureOf(client.upgrade({ program: stranger })), {
    code,
    message: /is not a program of Outpost: name/,
  })
  t.notOk(existsSync(ran), 'it is not run')
  t.match(await client.status(), { pid, state: 'serving' })
  t.equal((await ask(cluster.url, '/')).text, 'x')
  t.match(await upgrade(cluster, otherVersion('9.0.0')), { version: '9.0.0' }, 'a good one is taken after that')
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a version that takes over and does not serve is followed by the one before', async t => {
  const cluster = await clusterOf(t, { BALANCERS: '0' })
  const load = new Load(cluster.url, '/')
  t.match(await upgrade(cluster, uselessVersion(t)), { version: '0.1.0' })
  await cluster.printed(/"failure":"worker \d+ .*upgrade has failed/)
  for (const onGo of ['process.exit(3)', `process.send({ type: 'failed', reason: 'no such table' })`]) {
    const status = await upgrade(cluster, strangeVersion(t, onGo))
    t.equal(status.version, '0.1.0')
  }
  await cluster.printed(/"failure":"it ended: exit code 3".*upgrade has failed/)
  await cluster.printed(/"failure":"no such table".*upgrade has failed/)
  const { answers, failures } = await load.stop()
  t.strictSame(failures, [], 'clients have waited')
  t.ok(answers.every(({ status }) => status === 200))
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('signals to the process that was started are for the version that serves', async t => {
  const cluster = await clusterOf(t, {})
  const { pid } = await upgrade(cluster, otherVersion('9.0.0'))

  await t.test('SIGHUP reloads', async () => {
    const workers = cluster.pids('worker')
    cluster.signal('SIGHUP')
    await cluster.has('worker', 2, workers)
  })

  await t.test('Ctrl-C in a terminal stops, and is not taken for two signals', async t => {
    cluster.signalGroup('SIGINT')
    t.match(await cluster.exited, { code: 0 })
    t.notOk(isAlive(pid))
    await cluster.gone()
  })
})

void t.test('a stop during the handover ends all', async t => {
  for (const upgradesBefore of [0, 1]) {
    const cluster = await clusterOf(t, {})
    const program = otherVersion('9.0.0')
    for (let i = 0; i < upgradesBefore; i++) await upgrade(cluster, program)
    const client = await ControlClient.of(cluster.dataDir)
    const { pid } = await client.upgrade({ program })
    await client.stop()
    t.match(await cluster.exited, { code: 0 })
    await until(() => !isAlive(pid), 'the end of what stood by')
    await cluster.gone()
  }
})

void t.test('a version that ends unasked soon after it has served is followed by the one before, once', async t => {
  const cluster = await clusterOf(t, {})
  const { pid } = await upgrade(cluster, otherVersion('9.0.0'))
  const over = new AbortController()
  const failures: unknown[] = []
  const connecting = (async () => {
    while (!over.signal.aborted) await ask(cluster.url, '/').catch((error: unknown) => failures.push(error))
  })()
  kill(pid, 'SIGKILL')
  await until(() => !isAlive(pid), 'its end')
  const asked = await new Shell(t).run(['releases', '--data-dir', cluster.dataDir])
  t.match(asked, { code: 0, out: /start/ }, 'a command waits meanwhile')
  const back = await nextStatus(cluster, pid)
  t.equal(back.version, '0.1.0')
  await cluster.printed(/"failure":"it ended \d+ s after it served: SIGKILL".*upgrade has failed/)
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'x' })
  over.abort()
  await connecting
  const refused = failures.filter(error => (error as NodeJS.ErrnoException).code === 'ECONNREFUSED')
  t.strictSame(refused, [], 'the port has stayed open')
  kill(back.pid, 'SIGKILL')
  t.match(await cluster.exited, { code: 1 }, 'whoever watches the launcher starts another one')
  await cluster.gone()
})

void t.test('a version that is told to end soon after it has served is not followed by another one', async t => {
  const cluster = await clusterOf(t, {})
  const { pid } = await upgrade(cluster, otherVersion('9.0.0'))
  kill(pid, 'SIGTERM')
  t.match(await cluster.exited, { code: 0 })
  await cluster.gone()
})

void t.test('a version whose launcher was killed ends as well, after the requests in flight', async t => {
  const cluster = await clusterOf(t, {})
  await upgrade(cluster, otherVersion('9.0.0'))
  cluster.signal('SIGKILL')
  await cluster.exited
  await cluster.gone(45_000)
  t.ok(cluster.lines.some(line => line.includes('"instance is stopping: SIGTERM"')))
})
