import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { PoisonedCluster } from '../helpers/poisoned-cluster.js'
import { isAlive } from '../helpers/processes.js'

// A minute of each fault, and more rounds of kills, are a proof.

const ROUNDS = 4

/** After it has ended this many workers, a kind of request is not tried a second time. */
const ENDED_BY_RETRIES = 3

void t.test('requests beside one that ends its worker cost nothing', async t => {
  const poisoned = await PoisonedCluster.start(t, '1')
  const { cluster } = poisoned

  await t.test('a request that ends its worker is answered 502, and costs no other request anything', async t => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const answer = await ask(cluster.url, `/bug?round=${round}`)
      t.equal(answer.status, 502)
      t.equal(jsonOf(answer)['code'], 'UPSTREAM_BROKEN')
      await poisoned.isWhole()
    }
    const ended = poisoned.count(/"worker exited/)
    t.ok(ended <= ROUNDS + ENDED_BY_RETRIES, `${ended} workers ended`)
    const named = cluster.lines.filter(line => /GET \/bug ended \d+ workers? in \d+ s/.test(line))
    t.ok(named.length >= 1 && named.length <= 3, named.join('\n'))
  })

  await t.test('requests whose workers are killed are tried as often as there were workers', async () => {
    await poisoned.killAll()
  })

  await poisoned.lossless(t)
  t.equal(poisoned.count(/crash loop/), 0, 'the places are filled again')
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a request that ends its worker is answered in mesh mode, too', async t => {
  const WORKERS = 2
  const env = { APP: fixture('poison-app.js'), EMBED: 'none', WORKERS: String(WORKERS), BALANCERS: '0' }
  const cluster = await Cluster.start(t, env)
  const count = (pattern: RegExp): number => cluster.lines.filter(line => pattern.test(line)).length

  await t.test('in mesh mode a request that crashes its worker is answered 502 at once', async t => {
    for (let round = 0; round < 2; round += 1) {
      const before = cluster.pids('worker')
      t.equal((await ask(cluster.url, '/bug')).status, 502)
      t.equal((await ask(cluster.url, '/')).status, 200)
      await until(() => before.filter(isAlive).length < WORKERS, 'the end of a worker')
      await cluster.has('worker', WORKERS)
    }
    t.equal(count(/hung/), 0, 'none was waited for until it hung')
    const ended = count(/"msg":"worker threw an uncaught exception"/)
    t.ok(ended <= 4, `${ended} workers crashed`)
  })

  await t.test('in mesh mode a request whose app exits is answered 502, and is named', async t => {
    for (let round = 0; round < 2; round += 1) {
      // More would be on their way to a worker that is gone, and be reset.
      await cluster.has('worker', WORKERS)
      await until(() => ask(cluster.url, '/').then(({ status }) => status === 200), 'a worker to answer')
      const answer = await ask(cluster.url, `/exit?round=${round}`)
      t.match(answer, { status: 502, headers: { connection: 'close' } })
      t.equal(jsonOf(answer)['code'], 'UPSTREAM_BROKEN')
    }
    await cluster.printed(/GET \/exit ended 1 worker in 1 s/)
  })

  t.equal(count(/crash loop/), 0, 'the places are filled again')
  t.match(await cluster.stop(), { code: 0 })
})
