import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openFilesOf } from '#scripts/lib/proc.js'
import { ask, member, signIn } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'
import { kill } from '../helpers/processes.js'

async function endedBy(t: Test, cluster: Cluster, signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
  await t.test(`${signal} ends the instance with exit code 0, and only its data are left`, async t => {
    t.strictSame(await cluster.stop(signal), { code: 0, signal: null })
    t.strictSame(readdirSync(join(cluster.dataDir, 'run')), [], 'no socket, no pipe')
  })
}

void t.test('an instance starts, is alone on its folder, and leaves nothing but its data', async t => {
  const whole = t
  const cluster = await Cluster.start(t, { WORKERS: '2' })

  await t.test('one command starts all processes and prints one summary', async t => {
    const summary = cluster.lines.slice(cluster.lines.findIndex(line => line.startsWith('Outpost is ready')))
    t.match(summary, [
      /^Outpost is ready \(pid \d+, \d+ ms\)$/,
      new RegExp(`^  public +http://127\\.0\\.0\\.1:${cluster.port}$`),
      /^ {2}app +built-in$/,
      /^ {2}workers +2$/,
      /^ {2}balancers +1 \(round-robin\)$/,
      /^ {2}redis +embedded$/,
      /^ {2}storage +embedded$/,
      new RegExp(`^  data +${cluster.dataDir}$`),
    ])
    const health = await ask(cluster.url, '/health')
    t.match(health, { status: 200, text: 'OK' })
    t.match(await ask(cluster.url, '/health/ready'), { status: 200 })

    t.equal(cluster.pids('primary').length, 1, 'ps shows each process by its role')
    t.equal(cluster.pids('balancer').length, 1)
    t.equal(cluster.pids('worker').length, 2)
    t.equal(cluster.pids('redis').length, 1)
  })

  await t.test('a second start on a DATA_DIR in use is refused, and the first keeps serving', async t => {
    const before = cluster.supervision()
    // The end of this test must not end the first one as well.
    const second = Cluster.spawn(whole, { DATA_DIR: cluster.dataDir })

    t.match(await second.exited, { code: 78 })
    t.equal(second.lines.length, 1)
    t.match(second.lines[0], `another Outpost (pid ${cluster.pid}) runs on ${cluster.dataDir}`)
    t.strictSame(cluster.supervision(), before)
    t.match(await ask(cluster.url, '/health'), { status: 200 })
  })

  await endedBy(t, cluster, 'SIGTERM')
})

void t.test('several balancers share the connections evenly', async t => {
  const cluster = await Cluster.start(t, { BALANCERS: '2', BALANCE: 'least-busy', WORKERS: '1' })
  const balancers = cluster.pids('balancer')
  t.equal(balancers.length, 2)
  const before = balancers.map(pid => openFilesOf(pid).length)
  const agents = Array.from({ length: 20 }, () => new http.Agent({ keepAlive: true }))
  t.teardown(() => agents.forEach(agent => agent.destroy()))
  const answers = await Promise.all(agents.map(agent => ask(cluster.url, '/health', { agent })))
  t.ok(answers.every(({ status }) => status === 200))
  const connections = balancers.map((pid, i) => openFilesOf(pid).length - (before[i] ?? 0))
  t.ok(Math.max(...connections) - Math.min(...connections) <= 4, `the balancers have ${connections.join(' and ')}`)
  agents.forEach(agent => agent.destroy())
  await endedBy(t, cluster, 'SIGINT')
})

void t.test('a signal during the start ends the instance', async t => {
  const cluster = Cluster.spawn(t, { WORKERS: '1' })
  await cluster.has('worker', 1)
  t.match(await cluster.stop(), { code: 0 })
})

void t.test(
  'accounts and sessions survive a stop and a start, on a DATA_DIR of any length and with any characters',
  async t => {
    const awkward = join(temporaryFolder(t), 'with space and "quotes" ünïcode', 'x'.repeat(120))
    mkdirSync(awkward, { recursive: true })
    const first = await Cluster.start(t, { DATA_DIR: awkward, WORKERS: '1' })
    const { username, password, token, cookie } = await member(first.url)
    t.match(await ask(first.url, '/health/ready'), { status: 200 })
    t.ok(existsSync(join(awkward, 'redis')), 'the data is where it should be')

    await t.test('a signal to the whole process group, as from a terminal, ends the instance', async t => {
      first.signalGroup('SIGINT')
      t.match(await first.exited, { code: 0 })
      await first.gone()
    })

    const second = await Cluster.start(t, { DATA_DIR: awkward, WORKERS: '1' })
    t.match(
      await ask(second.url, '/me', { headers: { cookie } }),
      { status: 200 },
      'the secret of sessions is kept, too',
    )
    t.match(await ask(second.url, '/me', { headers: { authorization: `Bearer ${token}` } }), { status: 200 })
    await signIn(second.url, { username, password })

    await t.test('a signal to every process, as from a service manager, ends the instance', async t => {
      for (const { pid } of second.processes()) kill(pid, 'SIGTERM')
      t.match(await second.exited, { code: 0 })
      await second.gone()
    })
  },
)
