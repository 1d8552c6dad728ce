import t, { type Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, jsonOf, Load, type LoadReport } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { isAlive } from '../helpers/processes.js'

const WORKERS = 4
const ROUNDS = 4

/** After it has ended this many workers, a kind of request is not tried a second time. */
const ENDED_BY_RETRIES = 3

void t.test('a request that ends its worker is answered 502, and costs no other request anything', async t => {
  const cluster = await Cluster.start(t, { APP: fixture('poison-app.js'), EMBED: 'none', WORKERS: String(WORKERS) })
  const load = new Load(cluster.url, '/', 8)
  await until(() => load.answered > 50, 'some answers')
  for (let round = 0; round < ROUNDS; round += 1) {
    const answer = await ask(cluster.url, `/bug?round=${round}`)
    t.equal(answer.status, 502)
    t.equal(jsonOf(answer)['code'], 'UPSTREAM_BROKEN')
    await cluster.has('worker', WORKERS)
  }
  lossless(t, await load.stop())
  const ended = cluster.lines.filter(line => /worker exited/.test(line)).length
  t.ok(ended <= ROUNDS + ENDED_BY_RETRIES, `${ended} workers ended`)
  const named = cluster.lines.filter(line => /GET \/bug ended \d+ workers? in \d+ s/.test(line))
  t.ok(named.length >= 1 && named.length <= 3, named.join('\n'))
  t.notOk(
    cluster.lines.some(line => line.includes('crash loop')),
    'the places are filled again',
  )
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('in mesh mode a request that crashes its worker is answered 502 at once', async t => {
  const cluster = await Cluster.start(t, {
    APP: fixture('poison-app.js'),
    EMBED: 'none',
    WORKERS: String(WORKERS),
    BALANCERS: '0',
  })
  for (let round = 0; round < 3; round += 1) {
    const before = cluster.pids('worker')
    t.equal((await ask(cluster.url, '/bug')).status, 502)
    t.equal((await ask(cluster.url, '/')).status, 200)
    await until(() => before.filter(isAlive).length < WORKERS, 'the end of a worker')
    await cluster.has('worker', WORKERS)
  }
  t.notOk(
    cluster.lines.some(line => line.includes('hung')),
    'none was waited for until it hung',
  )
  const ended = cluster.lines.filter(line => line.includes('"msg":"worker threw an uncaught exception"')).length
  t.ok(ended <= 6, `${ended} workers crashed`)
  t.match(await cluster.stop(), { code: 0 })
})

void t.test(
  'in mesh mode a request whose app exits is answered 502, is named, and is no sign of a crash loop',
  async t => {
    const env = { APP: fixture('poison-app.js'), EMBED: 'none', WORKERS: '2', BALANCERS: '0' }
    const cluster = await Cluster.start(t, env)
    for (let round = 0; round < ROUNDS; round += 1) {
      // More would be on their way to a worker that is gone, and be reset.
      await cluster.has('worker', 2)
      await until(() => ask(cluster.url, '/').then(({ status }) => status === 200), 'a worker to answer')
      const answer = await ask(cluster.url, `/exit?round=${round}`)
      t.match(answer, { status: 502, headers: { connection: 'close' } })
      t.equal(jsonOf(answer)['code'], 'UPSTREAM_BROKEN')
    }
    await cluster.printed(/GET \/exit ended 1 worker in 1 s/)
    t.notOk(
      cluster.lines.some(line => line.includes('crash loop')),
      'the places are filled again',
    )
    t.match(await cluster.stop(), { code: 0 })
  },
)

void t.test('requests whose workers are killed are tried as often as there were workers', async t => {
  const cluster = await Cluster.start(t, { APP: fixture('poison-app.js'), EMBED: 'none', WORKERS: String(WORKERS) })
  const load = new Load(cluster.url, '/', 8)
  for (let round = 0; round < 3; round += 1) {
    // Workers that exit within their first second look like a crash loop, and are replaced later and later.
    await until(() => haveServedFor(cluster, 1_000), 'workers that have served for a second')
    const before = cluster.pids('worker')
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await cluster.has('worker', WORKERS, before)
    const served = load.answered
    await until(() => load.answered > served + 50, 'the next workers to serve')
  }
  lossless(t, await load.stop())
  t.match(await cluster.stop(), { code: 0 })
})

async function haveServedFor(cluster: Cluster, ms: number): Promise<boolean> {
  const { processes } = await (await ControlClient.of(cluster.dataDir)).status()
  const workers = processes.filter(({ role }) => role === 'worker')
  return workers.length === WORKERS && workers.every(({ servedMs }) => servedMs > ms)
}

function lossless(t: Test, { answers, failures }: LoadReport): void {
  t.strictSame(
    failures.map(({ message }) => message),
    [],
  )
  t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
}
