import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ProcessStatus } from '#src/control/protocol.js'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { requestBytes } from '../helpers/raw-http.js'

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

void t.test('several stops at the same time end the instance after its requests, as one does', async t => {
  const cluster = await Cluster.start(t, { APP: fixture('factory-app.js'), WORKERS: '1' })
  const file = join(cluster.dataDir, 'go')
  const answer = ask(cluster.url, `/wait?until=${file}`)
  await cluster.printed(/waiting for/)
  const people = Array.from({ length: 5 }, () => net.connect(join(cluster.dataDir, 'run', 'control.sock')))
  await Promise.all(people.map(person => once(person, 'connect')))
  for (const person of people) person.write(requestBytes('POST /v1/stop', ['Connection: close']))
  // The instance may close its socket before it has read all of them.
  const answers = await Promise.all(people.map(person => text(person).catch(() => 'none')))
  t.ok(answers.some(each => each.startsWith('HTTP/1.1 202 ')))
  writeFileSync(file, '')
  t.match(await answer, { status: 200 })
  t.strictSame(await cluster.exited, { code: 0, signal: null })
})

void t.test('curl can use the control socket', async t => {
  const cluster = await Cluster.start(t, { WORKERS: '1' })
  const socket = join(cluster.dataDir, 'run', 'control.sock')
  const { stdout } = await promisify(execFile)('curl', ['-sf', '--unix-socket', socket, 'http://outpost/v1/status'])
  t.match(JSON.parse(stdout), { pid: cluster.pid, processes: [{ role: 'balancer' }, { role: 'worker' }] })
})

void t.test('the status counts requests, restarts and what a process uses', async t => {
  const cluster = await Cluster.start(t, { WORKERS: '1', RATE_LIMIT_MAX: '0' })
  const client = await ControlClient.of(cluster.dataDir)
  const of = async (role: 'worker' | 'balancer'): Promise<ProcessStatus> => {
    const { processes } = await client.status()
    return processes.find(each => each.role === role && each.state === 'ready')!
  }
  t.match(await client.serving(), { state: 'serving', dataDir: cluster.dataDir, wanted: { workers: 1, balancers: 1 } })
  const before = await of('worker')
  for (let i = 0; i < 20; i++) await ask(cluster.url, '/health')
  for (const role of ['worker', 'balancer'] as const) {
    const counted = async (): Promise<boolean> => (await of(role)).requests >= 20
    await until(counted, `20 requests at the ${role}`)
    t.match(await of(role), { restarts: 0, inFlight: 0 })
  }
  const { rssBytes, cpuUse, loopUse, ageMs, servedMs } = await of('worker')
  t.ok(rssBytes > 10_000_000 && cpuUse >= 0 && loopUse >= 0 && loopUse <= 1)
  t.ok(ageMs > servedMs && servedMs > before.servedMs)
  const killed = cluster.kill('worker')
  await cluster.has('worker', 1, [killed])
  await until(async () => (await client.status()).processes.some(each => each.restarts === 1), 'the restart')
})

void t.test('the output of the instance is in its log', async t => {
  const cluster = await Cluster.start(t, { WORKERS: '1' })
  const client = await ControlClient.of(cluster.dataDir)
  const lines: string[] = []
  for await (const event of client.logs(1_000, false)) if (event.event === 'line') lines.push(event.line)
  t.strictSame(lines, cluster.lines)
  t.ok(lines.some(line => line.startsWith('Outpost is ready')))
})
