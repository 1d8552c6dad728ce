import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../helpers/client.js'
import { failureOf } from '../helpers/cluster.js'
import { Shell } from '../helpers/command.js'
import { until } from '../helpers/deadline.js'
import { otherVersion } from '../helpers/other-version.js'
import { running, statusThat, stopDuringStart } from './suites/interrupted-upgrade.js'

// After an upgrade, when the launcher is a process of its own, it is a proof.
void t.test('a stop while another version is being started ends that as well', t => stopDuringStart(t, 0))

void t.test('a stop of the version that takes over, before it serves, ends all', async t => {
  const { cluster, folder, client } = await running(t)
  writeFileSync(join(folder, 'slow'), '')
  const { pid } = await client.upgrade({ program: otherVersion('9.0.0') })
  await statusThat(cluster, status => status.pid === pid)
  await (await ControlClient.of(cluster.dataDir)).stop()
  t.match(await cluster.exited, { code: 0 })
  t.notOk(
    cluster.lines.some(line => line.includes('upgrade has failed')),
    'the version before does not come back',
  )
  await cluster.gone()
})

void t.test('an upgrade that is cut off in three ways leaves one version that serves, or none', async t => {
  const { cluster, folder, client } = await running(t)
  const shell = new Shell(t)
  const program = otherVersion('9.0.0')

  await t.test('a version that cannot be started at all is refused at once', async t => {
    const noNode = join(dirname(program), 'folder')
    mkdirSync(noNode)
    for (const node of ['/nowhere/node', noNode]) {
      t.match(await failureOf(client.upgrade({ program, node })), { message: /could not be started: (ENOENT|EACCES)/ })
    }
    t.match(await failureOf(client.upgrade({ program: 'dist/main.js' })), { code: 'INVALID_BODY' })
    t.equal((await ask(cluster.url, '/')).text, 'x')
  })

  await t.test('a version that comes back keeps trying, as after a restart', async t => {
    writeFileSync(join(folder, 'away'), '')
    const ran = await shell.run(['upgrade', '--data-dir', cluster.dataDir, '--program', program])
    t.match(ran, {
      code: 1,
      err: /version 9\.0\.0 did not serve: version 0\.1\.0 is back, and does not serve either: worker/,
    })
    t.equal(cluster.ended, undefined)
    const waiting = ask(cluster.url, '/')
    rmSync(join(folder, 'away'))
    t.match(await waiting, { status: 200, text: 'x' })
  })

  await t.test('outpost upgrade ends when the instance has ended meanwhile', async t => {
    writeFileSync(join(folder, 'slow'), '')
    const stoodBy = cluster.lines.filter(line => /another version stands by/.test(line)).length
    // A path as a person types it, from the folder of the other version.
    const cwd = dirname(dirname(program))
    const words = ['upgrade', '--data-dir', cluster.dataDir, '--program', join('dist', basename(program))]
    const ran = shell.run(words, { cwd })
    const standsBy = (): boolean =>
      cluster.lines.filter(line => /another version stands by/.test(line)).length > stoodBy
    await until(standsBy, 'the other version', 30_000)
    cluster.signal('SIGTERM')
    t.match(await cluster.exited, { code: 0 })
    t.match(await ran, { code: 1, err: /the instance has ended before version 9\.0\.0 served/ })
  })
})
