import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { fixture } from '../helpers/fixtures.js'
import { temporaryFolder } from '../helpers/harness.js'

const shapes = ['listening-app.js', 'exported-app.js', 'commonjs-app.cjs', 'late-app.js']

for (const [index, name] of shapes.entries()) {
  const BALANCERS = String(index % 2)
  void t.test(`an app that is not written for Outpost is served: ${name}, with BALANCERS=${BALANCERS}`, async t => {
    const cluster = await Cluster.start(t, { APP: fixture(name), WORKERS: '1', BALANCERS })
    t.match(await ask(cluster.url, '/'), { status: 200, text: 'Hello World!', headers: { 'x-request-id': /./ } })
    if (name === 'listening-app.js') {
      await cluster.printed(new RegExp(`^\\[worker 1\\] Example app listening on port ${cluster.port}$`))
    }
    if (name === 'late-app.js') await cluster.printed(/it thinks that it listens/)
    t.match(await cluster.stop(), { code: 0 })
  })
}

void t.test('an app that uses the lent services shares their state over all workers', async t => {
  const cluster = await Cluster.start(t, { APP: fixture('factory-app.js') })
  const counts = await Promise.all(
    Array.from({ length: 6 }, async () => jsonOf(await ask(cluster.url, '/count'))['count']),
  )
  t.strictSame(counts.sort(), [1, 2, 3, 4, 5, 6], 'one Redis for all workers')
  const statuses = []
  for (let i = 0; i < 4; i++) statuses.push((await ask(cluster.url, '/limited')).status)
  t.strictSame(statuses, [200, 200, 429, 429], 'one limit for all workers')
  t.match(await cluster.stop(), { code: 0 })
})

for (const BALANCERS of ['1', '0']) {
  void t.test(
    `messages of an app to its parent are ignored, and an exception that it catches does not end it, with BALANCERS=${BALANCERS}`,
    async t => {
      const cluster = await Cluster.start(t, { APP: fixture('talking-app.js'), WORKERS: '1', BALANCERS })
      // An app of one's own is served before the store runs.
      await cluster.has('store', 1)
      const before = cluster.supervision()
      for (let i = 0; i < 3; i += 1) t.match(await ask(cluster.url, '/'), { status: 200, text: 'Hello World!' })
      await cluster.printed(/it has talked/)
      t.match(await ask(cluster.url, '/throw'), { status: 200 })
      await cluster.printed(/it goes on/)
      t.match(await ask(cluster.url, '/'), { status: 200 })
      t.strictSame(cluster.supervision(), before)
      t.match(await cluster.stop(), { code: 0 })
    },
  )
}

void t.test('an instance keeps serving when the reader of its output has exited', async t => {
  const cluster = await Cluster.start(t, { APP: fixture('talking-app.js'), WORKERS: '1' })
  cluster.stopReading()
  for (let i = 0; i < 5; i += 1) t.match(await ask(cluster.url, '/'), { status: 200 })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('an app that is fixed after a crash loop is started by the next try', async t => {
  const APP = join(temporaryFolder(t), 'app.mjs')
  writeFileSync(APP, 'throw new Error("not yet")')
  const cluster = Cluster.spawn(t, { APP, WORKERS: '1' })
  await cluster.printed(/not yet/)
  writeFileSync(APP, 'export default (request, response) => response.end("mended")')
  await cluster.serving()
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'mended' })
})

void t.test('a request that kills its workers is not sent to their replacements', async t => {
  const cluster = await Cluster.start(t, { APP: fixture('instrumented-app.js') })
  t.match(await ask(cluster.url, '/exit'), { status: 502 })
  t.match(await ask(cluster.url, '/whoami'), { status: 200 })
})
