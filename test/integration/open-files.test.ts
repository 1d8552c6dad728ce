import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { allServe, plainApp } from '../helpers/plain-app.js'
import { isAlive } from '../helpers/processes.js'
import { useUpOpenFiles } from '../helpers/open-files.js'
import { MODES } from '../helpers/modes.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

async function start(t: Test, env: Record<string, string>, openFiles?: number): Promise<Cluster> {
  const cluster = await Cluster.start(t, { ...plainApp, ...env }, openFiles)
  await allServe(cluster)
  return cluster
}

const notStarted = (role: string): RegExp => new RegExp(`"child":"${role} \\d+".*could not be started: EMFILE`)

void t.test('a primary without open files serves again once it has some, and can stop', async t => {
  const cluster = await start(t, { SHUTDOWN_TIMEOUT_MS: '20000' })

  await t.test('a process that could not be started for lack of open files is started later', async t => {
    const giveBack = useUpOpenFiles(cluster.pid)
    const [balancer, worker] = [cluster.kill('balancer'), cluster.kill('worker')]
    for (const role of ['balancer', 'worker']) await cluster.printed(notStarted(role))
    giveBack()
    await cluster.has('balancer', 1, [balancer])
    await cluster.has('worker', 2, [worker])
    t.match(await ask(cluster.url, '/'), { status: 200 })
  })

  await t.test('processes that could not be started for lack of open files do not delay a stop', async t => {
    const before = cluster.lines.length
    const isTold = (role: string): boolean => cluster.lines.slice(before).some(line => notStarted(role).test(line))
    useUpOpenFiles(cluster.pid)
    cluster.kill('balancer')
    cluster.kill('worker')
    await until(() => isTold('balancer') && isTold('worker'), 'a line for each')
    t.match(await cluster.stop(), { code: 0 })
  })
})

void t.test('connections that wait for a worker leave the primary the open files that its workers need', async t => {
  const cluster = await start(t, { BALANCERS: '0' }, 400)
  const workers = cluster.pids('worker')
  // A connection stays open in the primary until its worker confirms it.
  for (const pid of workers) process.kill(pid, 'SIGSTOP')
  const clients = Array.from({ length: 500 }, () => net.connect(cluster.port, '127.0.0.1'))
  t.teardown(() => clients.forEach(client => client.destroy()))
  await Promise.race(clients.map(client => once(client.on('error', () => undefined).resume(), 'close')))
  for (const pid of workers) process.kill(pid, 'SIGKILL')
  await cluster.has('worker', 2, workers)
  t.ok(isAlive(cluster.pid))
  for (const client of clients) client.destroy()
  t.match(await ask(cluster.url, '/'), { status: 200 })
  t.match(await cluster.stop(), { code: 0 })
})

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`more idle connections than there are open files end no process, in ${mode}`, async t => {
    const cluster = await start(t, { BALANCERS }, 300)
    const pids = [...cluster.pids('balancer'), ...cluster.pids('worker')]
    const idle = await Promise.all(Array.from({ length: 700 }, () => connected(cluster.port)))
    t.teardown(() => idle.forEach(socket => socket.destroy()))
    await cluster.printed(/client 127\.0\.0\.2 is at its share of open connections/)
    // Two heartbeats, each of which would need an open file.
    await new Promise(resolve => setTimeout(resolve, 2_500))
    for (let i = 0; i < 20; i += 1) t.match(await ask(cluster.url, '/'), { status: 200 })
    t.strictSame([...cluster.pids('balancer'), ...cluster.pids('worker')], pids)
    t.match(await cluster.stop(), { code: 0 })
  })
}

async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
  socket.on('error', () => undefined).resume()
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  return socket
}
