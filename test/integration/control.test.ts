import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { Cluster } from '../helpers/cluster.js'

void t.test('the control API shows every process, and its stop ends the instance as SIGTERM does', async t => {
  const cluster = await Cluster.start(t, { WORKERS: '2' })
  const client = await ControlClient.of(cluster.dataDir)
  const { pid, host, port, processes } = await client.status()
  t.strictSame({ pid, host, port }, { pid: cluster.pid, host: '127.0.0.1', port: cluster.port })
  const pids = (role: 'worker' | 'balancer'): unknown[] =>
    processes.filter(each => each.role === role && each.state === 'ready').map(each => each.pid)
  t.strictSame(pids('worker').sort(), cluster.pids('worker'))
  t.strictSame(pids('balancer'), cluster.pids('balancer'))
  t.strictSame(await client.stop(), { pid })
  t.strictSame(await cluster.exited, { code: 0, signal: null })
  await cluster.gone()
  await t.rejects(client.status(), { message: `no Outpost runs on ${cluster.dataDir}` })
})

void t.test('curl can use the control socket', async t => {
  const cluster = await Cluster.start(t, { WORKERS: '1' })
  const socket = join(cluster.dataDir, 'run', 'control.sock')
  const { stdout } = await promisify(execFile)('curl', ['-sf', '--unix-socket', socket, 'http://outpost/v1/status'])
  t.match(JSON.parse(stdout), { pid: cluster.pid, processes: [{ role: 'balancer' }, { role: 'worker' }] })
})
