import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, Load } from '../helpers/client.js'
import { failureOf } from '../helpers/cluster.js'
import { Shell } from '../helpers/command.js'
import { until } from '../helpers/deadline.js'
import { otherVersion, strangeVersion, uselessVersion } from '../helpers/other-version.js'
import { isAlive, kill } from '../helpers/processes.js'
import { folderOf } from '../helpers/releases.js'
import { clusterOf, losslessUpgrades, nextStatus, stopDuringHandover, upgrade } from './suites/upgrade.js'

// Two versions after another in default mode, and with two balancers, are a proof.
void t.test('another version takes over without a refused or lost request, with mesh mode', async t => {
  const cluster = await clusterOf(t, { BALANCERS: '0', WORKERS: '2' })
  const { pid } = await losslessUpgrades(t, cluster, ['9.0.0', '9.1.0'])

  await t.test('a version that is told to end soon after it has served is not followed by another one', async t => {
    kill(pid, 'SIGTERM')
    t.match(await cluster.exited, { code: 0 })
    await cluster.gone()
  })
})

void t.test('one instance is upgraded several times, in default mode', async t => {
  // Each version takes over the data of a Redis as well.
  const cluster = await clusterOf(t, { SHUTDOWN_TIMEOUT_MS: '300000', EMBED: 'redis' })

  await t.test('another version takes over without a refused or lost request', t =>
    losslessUpgrades(t, cluster, ['9.0.0']),
  )

  await t.test('a request in flight is answered before the other version takes over', async t => {
    const file = join(cluster.dataDir, 'go')
    const answer = ask(cluster.url, `/?until=${file}`)
    await cluster.printed(/waiting for .*go/)
    const client = await ControlClient.of(cluster.dataDir)
    const { pid } = await client.status()
    await client.upgrade({ program: otherVersion('9.1.0') })
    await until(
      () =>
        ControlClient.of(cluster.dataDir).then(
          () => false,
          () => true,
        ),
      'the old version to end its commands',
    )
    const waiting = ask(cluster.url, '/')
    writeFileSync(file, '')
    t.match(await answer, { status: 200 })
    t.match(await waiting, { status: 200 }, 'a connection of the meantime waits')
    t.match(await nextStatus(cluster, pid), { version: '9.1.0' })
  })

  await t.test('a request that takes too long is cut, where the upgrade has a bound for it', async t => {
    const cut = ask(cluster.url, '/?until=/never').catch((error: unknown) => error)
    await cluster.printed(/waiting for \/never/)
    const client = await ControlClient.of(cluster.dataDir)
    const { pid } = await client.status()
    await client.upgrade({ program: otherVersion('9.0.0'), within: 1 })
    t.match(await nextStatus(cluster, pid), { version: '9.0.0' })
    t.ok((await cut) instanceof Error)
  })

  await t.test('signals to the process that was started are for the version that serves', async t => {
    const { pid } = await (await ControlClient.of(cluster.dataDir)).status()

    await t.test('SIGHUP reloads', async () => {
      const workers = cluster.pids('worker')
      cluster.signal('SIGHUP')
      await cluster.has('worker', 1, workers)
    })

    await t.test('Ctrl-C in a terminal stops, and is not taken for two signals', async t => {
      cluster.signalGroup('SIGINT')
      t.match(await cluster.exited, { code: 0 })
      t.notOk(isAlive(pid))
      await cluster.gone()
    })
  })
})

void t.test('an instance outlives a version that cannot serve, and ends with its launcher', async t => {
  const cluster = await clusterOf(t)

  await t.test('a version that cannot serve changes nothing', async t => {
    const client = await ControlClient.of(cluster.dataDir)
    const { pid } = await client.status()
    const files = { 'package.json': '{"name":"outpost"}', 'dist/main.js': 'process.exit(3)' }
    const broken = join(folderOf(t, files), 'dist/main.js')
    const error = await failureOf(client.upgrade({ program: broken }))
    t.match(error, { code: 'UPGRADE_REFUSED', message: /exit code 3/ })
    const code = 'UPGRADE_REFUSED'
    const gone = { code, message: 'nothing has changed: /nowhere/main.js does not exist' }
    t.match(await failureOf(client.upgrade({ program: '/nowhere/main.js' })), gone)
    const folder = { code, message: /dist is not a file: name/ }
    t.match(await failureOf(client.upgrade({ program: dirname(broken) })), folder)
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
  })

  await t.test('a version whose launcher was killed ends as well, after the requests in flight', async t => {
    cluster.signal('SIGKILL')
    await cluster.exited
    await cluster.gone(45_000)
    t.ok(cluster.lines.some(line => line.includes('"instance is stopping: SIGTERM"')))
  })
})

void t.test('a version that takes over and does not serve is followed by the previous one', async t => {
  const cluster = await clusterOf(t, { BALANCERS: '0' })
  const load = new Load(cluster.url, '/', 2)
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

// A launcher that is still the first version's own program is a proof.
void t.test('a stop during the handover ends all', t => stopDuringHandover(t, 1))

void t.test('a version that ends unasked soon after it has served is followed by the previous one, once', async t => {
  const cluster = await clusterOf(t)
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
