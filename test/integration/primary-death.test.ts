import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ask, login, register, somebody, type Credentials } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { isAlive, kill } from '../helpers/processes.js'
import { startAfterDeath } from './suites/primary-death.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

/** The program promises five seconds. The rest is for a busy machine. */
const LEAVE_MS = 8_000

for (const BALANCERS of ['1', '0']) {
  void t.test(`an instance whose primary is killed ends by itself, with BALANCERS=${BALANCERS}`, async t => {
    await t.test('requests in flight are answered, endless ones are cut, and then no process is left', async t => {
      const cluster = await Cluster.start(t, { APP: fixture('instrumented-app.js'), BALANCERS })
      t.equal(cluster.pids('store').length, 1)
      const file = join(cluster.dataDir, 'go')
      // Whether the worker or the balancer exits first, it ends: with an answer of 5xx, or with the connection.
      const endless = ask(cluster.url, '/wait?until=/never').then(
        ({ status }) => status >= 500,
        () => true,
      )
      const answer = ask(cluster.url, `/wait?until=${file}`)
      await until(() => cluster.lines.filter(line => line.includes('waiting for')).length === 2, 'both to begin')
      cluster.kill('primary')
      await cluster.exited
      // Processes report each second, and no process reads the reports any more.
      await sleep(1_500)
      writeFileSync(file, '')
      t.match(await answer, { status: 200 })
      await cluster.gone(LEAVE_MS)
      t.ok(await endless)
    })
  })
}

// With a balancer it is a proof.
void t.test('the next start does not wait and finds all data, in mesh mode', t => startAfterDeath(t, '0'))

void t.test('a stopped worker and stopped embedded servers are killed after their primary was killed', async t => {
  const cluster = await Cluster.start(t, { WORKERS: '1' })
  const [worker = 0] = cluster.pids('worker')
  for (const role of ['worker', 'redis', 'store'] as const) cluster.kill(role, 'SIGSTOP')
  cluster.kill('primary')
  await until(() => !isAlive(worker), 'the end of the worker', LEAVE_MS)
  await cluster.gone(30_000)
})

void t.test('no acknowledged registration is lost when every process is killed at once', async t => {
  const first = await Cluster.start(t, { RATE_LIMIT_MAX: '0', WORKERS: '1' })
  const acknowledged: Credentials[] = []
  let going = true
  const clients = Array.from({ length: 4 }, async () => {
    while (going) {
      const someone = somebody()
      const answer = await register(first.url, someone).catch(() => undefined)
      if (answer?.status === 201) acknowledged.push(someone)
    }
  })
  await until(() => acknowledged.length >= 8, 'some registrations', 20_000)
  for (const { pid } of first.processes()) kill(pid)
  going = false
  await Promise.all(clients)
  await first.gone()

  const second = await Cluster.start(t, { RATE_LIMIT_MAX: '0', WORKERS: '1', DATA_DIR: first.dataDir })
  for (const someone of acknowledged) t.match(await login(second.url, someone), { status: 200 })
  t.match(await second.stop(), { code: 0 })
})
