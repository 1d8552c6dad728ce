import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask, jsonOf, type Answer } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { gone } from '../helpers/processes.js'

const REQUESTS = 20
/** Two workers get requests in turn, so that a longer row is no chance. */
const ROW = 4

/** Sends GETs, and resolves when the share of the healthy worker is answered. The rest wait for the hung one. */
async function reads(url: string): Promise<{ all: Promise<Answer[]>; answered: () => number }> {
  let answered = 0
  const all = Promise.all(Array.from({ length: REQUESTS }, () => ask(url, '/health').finally(() => (answered += 1))))
  await until(() => answered >= REQUESTS / 2, 'the answers of the other one')
  return { all, answered: () => answered }
}

function allGood(t: Test, answers: readonly Answer[]): void {
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]))
}

/**
 * Sends requests until the primary kills a worker, and tells how many in a row were answered before that. A request
 * that the hung worker has got is answered only afterwards, so a long row has been dealt past it while it was alive.
 */
async function rowBeforeKill(t: Test, cluster: Cluster): Promise<number> {
  const hung = { killed: false }
  const kill = cluster.printed(/"worker is killed: /).finally(() => (hung.killed = true))
  const sent: Promise<{ answer: Answer; early: boolean }>[] = []
  while (!hung.killed) {
    sent.push(ask(cluster.url, '/health').then(answer => ({ answer, early: !hung.killed })))
    await Promise.race([kill, new Promise(resolve => setTimeout(resolve, 50))])
  }
  await kill
  const all = await Promise.all(sent)
  allGood(
    t,
    all.map(({ answer }) => answer),
  )
  let row = 0
  let longest = 0
  for (const { early } of all) {
    row = early ? row + 1 : 0
    longest = Math.max(longest, row)
  }
  return longest
}

// Most of the time is spent waiting for the primary's timeouts, so all tests run at once.
t.jobs = 4

void t.test('a worker that hangs behind a balancer loses no request and is killed', async t => {
  const cluster = await Cluster.start(t, { LOG_LEVEL: 'debug', RATE_LIMIT_MAX: '0' })
  const { url } = cluster
  const hung = cluster.kill('worker', 'SIGSTOP')
  const { all, answered } = await reads(url)
  t.ok(answered() < REQUESTS, 'the hung worker has some of them')

  await cluster.printed(/"state":"unhealthy"/)
  allGood(t, await all)
  t.ok((await rowBeforeKill(t, cluster)) > ROW, 'while it still runs, the hung worker gets no more of them')
  await gone(hung)
  await cluster.has('worker', 2, [hung])
  await cluster.workersTakePart(2)
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a worker that hangs in mesh mode gets no new connections and is killed', async t => {
  const cluster = await Cluster.start(t, { BALANCERS: '0', RATE_LIMIT_MAX: '0' })
  const { url } = cluster
  const hung = cluster.kill('worker', 'SIGSTOP')
  const { all, answered } = await reads(url)
  t.ok(answered() < REQUESTS, 'some connections were dealt to it')
  t.ok((await rowBeforeKill(t, cluster)) > ROW, 'while it still runs, connections are dealt past it')
  allGood(t, await all)
  await gone(hung)
  await cluster.has('worker', 2, [hung])
  await cluster.workersTakePart(2)
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a worker that hangs while it drains is killed, and its request is tried elsewhere', async t => {
  const env = { APP: fixture('instrumented-app.js'), WORKERS: '1', LOG_LEVEL: 'debug', SHUTDOWN_TIMEOUT_MS: '1000' }
  const cluster = await Cluster.start(t, env)
  const [old] = cluster.pids('worker') as [number]
  const file = join(cluster.dataDir, 'go')
  const answer = ask(cluster.url, `/wait?until=${file}`)
  await cluster.printed(/waiting for/)
  cluster.signal('SIGHUP')
  await cluster.printed(/"state":"draining"/)
  process.kill(old, 'SIGSTOP')
  writeFileSync(file, '')
  t.not(jsonOf(await answer)['pid'], old, 'another worker answers its request')
  await cluster.has('worker', 1, [old])
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('no process is killed after a pause of all processes', async t => {
  const cluster = await Cluster.start(t, {})
  const before = { worker: cluster.pids('worker'), balancer: cluster.pids('balancer') }
  const all = cluster.processes().map(({ pid }) => pid)
  for (const pid of all) process.kill(pid, 'SIGSTOP')
  await new Promise(resolve => setTimeout(resolve, 12_000))
  process.kill(cluster.pid, 'SIGCONT')
  await new Promise(resolve => setTimeout(resolve, 200))
  for (const pid of all) process.kill(pid, 'SIGCONT')
  t.match(await ask(cluster.url, '/health'), { status: 200 })
  t.strictSame({ worker: cluster.pids('worker'), balancer: cluster.pids('balancer') }, before)
  t.notOk(cluster.lines.some(line => line.includes('is killed: ')))
  t.match(await cluster.stop(), { code: 0 })
})
