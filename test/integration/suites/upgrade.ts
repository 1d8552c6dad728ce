import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { Status } from '#src/control/protocol.js'
import { titleOf } from '#scripts/lib/proc.js'
import { ask, Load } from '../../helpers/client.js'
import { Cluster } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { otherVersion } from '../../helpers/other-version.js'
import { isAlive } from '../../helpers/processes.js'
import { folderOf } from '../../helpers/releases.js'

/** Answers at once, or once the file `until` exists. */
const app = `
const { existsSync } = require('node:fs')
require('node:http').createServer((request, response) => {
  const file = new URL(request.url, 'http://app').searchParams.get('until')
  if (file === null) return response.end('x')
  console.log('waiting for ' + file)
  setInterval(() => existsSync(file) && response.end('x'), 10)
}).listen(process.env.PORT)
`

export async function clusterOf(t: Test, settings: Record<string, string> = {}): Promise<Cluster> {
  const APP = join(folderOf(t, { 'app.js': app }), 'app.js')
  return Cluster.start(t, { APP, EMBED: 'none', WORKERS: '1', ...settings })
}

/** Orders an upgrade and waits until another primary serves. */
export async function upgrade(cluster: Cluster, program: string): Promise<Status> {
  const client = await ControlClient.of(cluster.dataDir)
  const { pid } = await client.status()
  await client.upgrade({ program })
  return nextStatus(cluster, pid)
}

export async function nextStatus(cluster: Cluster, before: number): Promise<Status> {
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

/** Upgrades once for each version, under load on kept and on new connections. @returns the last one's status */
export async function losslessUpgrades(t: Test, cluster: Cluster, versions: readonly string[]): Promise<Status> {
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
  let last: Status | undefined
  for (const version of versions) {
    last = await upgrade(cluster, otherVersion(version))
    t.equal(last.version, version)
    t.equal(titleOf(cluster.pid), 'outpost launcher', 'the process that was started stays')
  }
  const before = fresh
  await until(() => fresh > before, 'an answer of the new version')
  stopped = true
  await Promise.all(connecting)
  const { answers, failures: lost } = await kept.stop()
  t.strictSame(failures, [], 'no new connection is refused or lost')
  t.strictSame(lost, [], 'no kept connection is cut under a request')
  t.ok(answers.every(({ status }) => status === 200))
  t.strictSame(cluster.pids('primary'), [last?.pid], 'of the programs in between nothing is left')
  return last!
}

/** Orders a stop as soon as another version stands by, after so many upgrades. */
export async function stopDuringHandover(t: Test, upgradesBefore: number): Promise<void> {
  const cluster = await clusterOf(t)
  const program = otherVersion('9.0.0')
  for (let i = 0; i < upgradesBefore; i++) await upgrade(cluster, program)
  const client = await ControlClient.of(cluster.dataDir)
  const { pid } = await client.upgrade({ program })
  await client.stop()
  t.match(await cluster.exited, { code: 0 })
  await until(() => !isAlive(pid), 'the end of what stood by')
  await cluster.gone()
}
