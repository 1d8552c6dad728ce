import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { Status } from '#src/control/protocol.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { otherVersion } from '../../helpers/other-version.js'
import { isAlive, kill } from '../../helpers/processes.js'
import { folderOf } from '../../helpers/releases.js'

/** Fails while there is a file `away` in its folder, and listens once there is none named `slow`. */
const app = `
const { existsSync } = require('node:fs')
if (existsSync(__dirname + '/away')) throw new Error('the database is away')
const server = require('node:http').createServer((request, response) => response.end('x'))
const begin = () => existsSync(__dirname + '/slow') ? setTimeout(begin, 20) : server.listen(process.env.PORT)
begin()
`

export interface Running {
  cluster: Cluster
  folder: string
  client: ControlClient
}

/** @param upgrades how many versions have served before this one: its launcher is a process of its own then */
export async function running(t: Test, upgrades = 0): Promise<Running> {
  const folder = folderOf(t, { 'app.js': app })
  const cluster = await Cluster.start(t, { APP: join(folder, 'app.js'), EMBED: 'none', WORKERS: '1' })
  for (let i = 0; i < upgrades; i++) {
    const { pid } = await (await ControlClient.of(cluster.dataDir)).upgrade({ program: otherVersion('9.0.0') })
    await statusThat(cluster, status => status.pid === pid && status.state === 'serving')
  }
  return { cluster, folder, client: await ControlClient.of(cluster.dataDir) }
}

export async function statusThat(cluster: Cluster, fits: (status: Status) => boolean): Promise<void> {
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

/** Orders a stop while another version is being started, after so many upgrades. */
export async function stopDuringStart(t: Test, upgrades: number): Promise<void> {
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
}
