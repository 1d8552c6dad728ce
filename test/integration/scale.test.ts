import t from 'tap'
import { Load } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'

for (const [mode, balancers] of Object.entries({ 'default mode': 1, 'mesh mode': 0 })) {
  void t.test(`workers are added and removed under load without a lost request, in ${mode}`, async t => {
    const cluster = await Cluster.start(t, { BALANCERS: String(balancers), WORKERS: '2' })
    const load = new Load(cluster.url, '/health')
    t.strictSame(await cluster.scale({ workers: 4 }), { workers: 4, balancers })
    await cluster.has('worker', 4)
    const before = load.answered
    while (load.answered < before + 20) await new Promise(resolve => setImmediate(resolve))
    t.strictSame(await cluster.scale({ workers: 1 }), { workers: 1, balancers })
    await cluster.has('worker', 1)
    const { answers, failures } = await load.stop()
    t.strictSame(failures, [])
    t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
    t.match(await failureOf(cluster.scale({ balancers: 1 - balancers })), { code: 'MODE_IS_FIXED' })
    t.equal(cluster.pids('worker').length, 1, 'a refused scale changes nothing')
  })
}

void t.test('a balancer is added under load without a lost request', async t => {
  const cluster = await Cluster.start(t, { BALANCERS: '1', WORKERS: '1' })
  const load = new Load(cluster.url, '/health')
  t.strictSame(await cluster.scale({ balancers: 2 }), { workers: 1, balancers: 2 })
  await cluster.has('balancer', 2)
  const before = load.answered
  while (load.answered < before + 20) await new Promise(resolve => setImmediate(resolve))
  const { answers, failures } = await load.stop()
  t.strictSame(failures, [])
  t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
})
