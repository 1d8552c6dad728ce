import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { Load } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { RawConnection } from '../helpers/raw-http.js'
import { folderOf } from '../helpers/releases.js'

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

const app = `require('node:http').createServer((request, response) => response.end('hello')).listen(process.env.PORT)`

for (const [mode, BALANCERS] of Object.entries({ 'by itself': '1', 'what it is dealt': '2' })) {
  void t.test(`a balancer that accepts ${mode} leaves without the loss of a request`, async t => {
    const folder = folderOf(t, { 'app.js': app })
    const settings = { APP: 'app.js', BALANCERS, WORKERS: '1', EMBED: 'none' }
    const cluster = await Cluster.start(t, settings, undefined, folder)
    if (BALANCERS === '1') await cluster.scale({ balancers: 2 })
    await cluster.has('balancer', 2)
    const connect = (): Promise<RawConnection> => RawConnection.open(cluster.port)
    // Half of them are used, and half have sent nothing yet.
    const clients = await Promise.all(Array.from({ length: 16 }, connect))
    const asks = async (client: RawConnection): Promise<string> => {
      const { status, headers } = await client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n').response()
      return `${status} ${String(headers['connection'])}`
    }
    for (const client of clients.slice(0, 8)) t.match(await asks(client), /^200/)
    const control = await ControlClient.of(cluster.dataDir)
    await cluster.scale({ balancers: 1 })
    const leaves = async (): Promise<boolean> => {
      const left = (await control.status()).processes.filter(({ role }) => role === 'balancer')
      // One that has accepted no client is gone at once.
      return left.length === 1 || left.some(({ state }) => state === 'draining')
    }
    await until(leaves, 'the balancer to leave')
    const answers = await Promise.all(clients.map(asks))
    t.strictSame(new Set(answers.map(answer => answer.slice(0, 3))), new Set(['200']))
    if (BALANCERS === '2') t.equal(answers.filter(answer => answer === '200 close').length, 8, 'those of one balancer')
    await cluster.has('balancer', 1)
  })
}
