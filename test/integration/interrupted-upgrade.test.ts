import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { Status } from '#src/control/protocol.js'
import { ask } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { Shell } from '../helpers/command.js'
import { until } from '../helpers/deadline.js'
import { otherVersion } from '../helpers/other-version.js'
import { isAlive, kill } from '../helpers/processes.js'
import { folderOf } from '../helpers/releases.js'

/** Fails while there is a file `away` in its folder, and listens once there is none named `slow`. */
const app = `
const { existsSync } = require('node:fs')
if (existsSync(__dirname + '/away')) throw new Error('the database is away')
const server = require('node:http').createServer((request, response) => response.end('x'))
const begin = () => existsSync(__dirname + '/slow') ? setTimeout(begin, 20) : server.listen(process.env.PORT)
begin()
`

interface Running {
  cluster: Cluster
  folder: string
  client: ControlClient
}

/** @param upgrades how many versions have served before this one: its launcher is a process of its own then */
async function running(t: Test, upgrades = 0): Promise<Running> {
  const folder = folderOf(t, { 'app.js': app })
  const cluster = await Cluster.start(t, { APP: join(folder, 'app.js'), EMBED: 'none', WORKERS: '1' })
  for (let i = 0; i < upgrades; i++) {
    const { pid } = await (await ControlClient.of(cluster.dataDir)).upgrade({ program: otherVersion('9.0.0') })
    await statusThat(cluster, status => status.pid === pid && status.state === 'serving')
  }
  return { cluster, folder, client: await ControlClient.of(cluster.dataDir) }
}

async function statusThat(cluster: Cluster, fits: (status: Status) => boolean): Promise<void> {
  const holds = async (): Promise<boolean> => {
    const client = await ControlClient.of(cluster.dataDir).catch(() => undefined)
    const status = await client?.status().catch(() => undefined)
    return status !== undefined && fits(status)
  }
  await until(holds, 'the version that is waited for', 60_000)
}

/** A program that writes its pid beside itself, and stands by once there is a file `late`. It ends by SIGKILL alone. */
function lateVersion(t: Test): { program: string; late: string; pid: () => number } {
  const folder = folderOf(t, {
    'package.json': '{"name":"outpost"}',
    'main.mjs': `import { existsSync, writeFileSync } from 'node:fs'
    process.on('SIGTERM', () => undefined)
    const stand = handle => {
      if (!existsSync(import.meta.dirname + '/late')) return setTimeout(stand, 20, handle)
      process.send({ type: 'standing-by', version: '0.0.9' }, handle)
    }
    process.once('message', (message, handle) => stand(handle))
    writeFileSync(import.meta.dirname + '/pid', String(process.pid))
    setInterval(() => undefined, 1000)`,
  })
  const pid = (): number => (existsSync(join(folder, 'pid')) ? Number(readFileSync(join(folder, 'pid'), 'utf8')) : 0)
  t.teardown(() => {
    if (pid() !== 0) kill(pid(), 'SIGKILL')
  })
  return { program: join(folder, 'main.mjs'), late: join(folder, 'late'), pid }
}

for (const upgrades of [0, 1]) {
  void t.test(
    `a stop while another version is being started ends that as well, ${upgrades} upgrades before`,
    async t => {
      const { cluster, client } = await running(t, upgrades)
      const { program, late, pid } = lateVersion(t)
      const refused = failureOf(client.upgrade({ program }))
      await until(() => pid() !== 0, 'the start of the other version')
      await client.stop()
      await cluster.printed(/instance is stopping/)
      writeFileSync(late, '')
      t.match(await cluster.exited, { code: 0 })
      t.match((await refused).code, /STOPPING|UPGRADE_REFUSED/)
      await until(() => !isAlive(pid()), 'the end of the other version')
      await cluster.gone()
    },
  )
}

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

void t.test('a version that comes back keeps trying, as after a restart', async t => {
  const { cluster, folder } = await running(t)
  const shell = new Shell(t)
  writeFileSync(join(folder, 'away'), '')
  const program = otherVersion('9.0.0')
  const ran = await shell.run(['upgrade', '--data-dir', cluster.dataDir, '--program', program])
  t.match(ran, {
    code: 1,
    err: /version 9\.0\.0 did not serve: version 0\.1\.0 is back, and does not serve either: worker/,
  })
  t.equal(cluster.ended, undefined)
  const waiting = ask(cluster.url, '/')
  rmSync(join(folder, 'away'))
  t.match(await waiting, { status: 200, text: 'x' })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('outpost upgrade ends when the instance has ended meanwhile', async t => {
  const { cluster, folder } = await running(t)
  const shell = new Shell(t)
  writeFileSync(join(folder, 'slow'), '')
  const program = otherVersion('9.0.0')
  // A path as a person types it, from the folder of the other version.
  const cwd = dirname(dirname(program))
  const words = ['upgrade', '--data-dir', cluster.dataDir, '--program', join('dist', basename(program))]
  const ran = shell.run(words, { cwd })
  await cluster.printed(/another version stands by/)
  cluster.signal('SIGTERM')
  t.match(await cluster.exited, { code: 0 })
  t.match(await ran, { code: 1, err: /the instance has ended before version 9\.0\.0 served/ })
})

void t.test('a version that cannot be started at all is refused at once', async t => {
  const { cluster, client } = await running(t)
  const program = otherVersion('9.0.0')
  const folder = join(dirname(program), 'folder')
  mkdirSync(folder)
  for (const node of ['/nowhere/node', folder]) {
    t.match(await failureOf(client.upgrade({ program, node })), { message: /could not be started: (ENOENT|EACCES)/ })
  }
  t.match(await failureOf(client.upgrade({ program: 'dist/main.js' })), { code: 'INVALID_BODY' })
  t.match(await cluster.stop(), { code: 0 })
})
