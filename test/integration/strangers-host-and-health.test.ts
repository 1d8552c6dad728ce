import t, { type Test } from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { strangers } from '../helpers/plain-node.js'
import { MODES } from '../helpers/modes.js'

// Most of the time is spent waiting, so three tests run at once.
t.jobs = 3

function start(t: Test, APP: string, env: Record<string, string>): Promise<Cluster> {
  return Cluster.start(t, { APP, ...env }, undefined, strangers)
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`without HOST, an app that listens on 127.0.0.1 is reached there only, in ${mode}`, async t => {
    const cluster = await start(t, 'loopback-only.cjs', { BALANCERS, HOST: '' })
    t.match(await ask(cluster.url, '/'), { status: 200, text: '127.0.0.1' })
    for (const other of ['127.0.0.2', '[::1]']) {
      await t.rejects(ask(`http://${other}:${cluster.port}`, '/'), { code: 'ECONNREFUSED' }, other)
    }
    t.match(await cluster.stop(), { code: 0 })
  })

  void t.test(`without HOST, an app that names no address is reached by both families, in ${mode}`, async t => {
    const cluster = await start(t, 'listen-again.cjs', { BALANCERS, HOST: '' })
    for (const host of ['127.0.0.1', '[::1]'])
      t.match(await ask(`http://${host}:${cluster.port}`, '/'), { status: 200 })
    t.match(await cluster.stop(), { code: 0 })
  })
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`an app whose /health is bad is served, and gets no probe, in ${mode}`, async t => {
    const cluster = await start(t, 'unhealthy.cjs', { BALANCERS, WORKERS: '1' })
    t.match(await ask(cluster.url, '/'), { status: 200 })
    t.match(await ask(cluster.url, '/health'), { status: 503 })
    t.match(await cluster.stop(), { code: 0 })
    const requests = cluster.lines.filter(line => line.includes('request: '))
    t.strictSame(requests, ['[worker 1] request: /', '[worker 1] request: /health'])
  })

  for (const [HEALTH_PATH, reason] of [
    ['/health', 'GET /health was answered 503'],
    ['/slow', 'GET /slow was not answered within 1 s'],
  ] as const) {
    void t.test(`the log says why HEALTH_PATH=${HEALTH_PATH} keeps a worker out, in ${mode}`, async t => {
      const env = { APP: 'unhealthy.cjs', BALANCERS, WORKERS: '1', HEALTH_PATH }
      const cluster = Cluster.spawn(t, env, undefined, strangers)
      await cluster.printed(/request: /)
      const first = performance.now()
      await cluster.printed(new RegExp(`worker gets no requests: ${reason}`))
      // In mesh mode a worker is used until three probes were bad.
      t.ok(performance.now() - first < (BALANCERS === '1' ? 5_000 : 9_500), 'in time')
    })
  }
}

void t.test('HOST counts before the address that an app listens on', async t => {
  const cluster = await start(t, 'loopback-only.cjs', { HOST: '0.0.0.0' })
  t.match(await ask(`http://127.0.0.2:${cluster.port}`, '/'), { status: 200 })
  await cluster.printed(/app listens on 127.0.0.1, and the public port is open on HOST=0.0.0.0/)
  t.match(await cluster.stop(), { code: 0 })
})
