import net from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { ObjectStore } from '#src/object-store/object-store.js'
import { ask, bearer, jsonOf, member, type Answer } from '../helpers/client.js'
import { StorageView, storageAddressOf } from '../helpers/cluster-storage.js'
import { Cluster } from '../helpers/cluster.js'
import { within } from '../helpers/deadline.js'
import { form, FORM_END, partHead, sendForm, UploadRequest } from '../helpers/forms.js'
import { temporaryFolder } from '../helpers/harness.js'
import { freePort } from '#scripts/lib/free-port.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

const keys = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1' }
const small = form({ name: 'file', filename: 'x', content: 'x' })
const SOME_KEY = '/uploads/00000000-0000-4000-8000-000000000000'

function externally(endpoint: string): Record<string, string> {
  return {
    S3_ENDPOINT: endpoint,
    S3_ACCESS_KEY: keys.accessKey,
    S3_SECRET_KEY: keys.secretKey,
    RATE_LIMIT_MAX: '0',
    WORKERS: '1',
  }
}

function isUnavailable(t: Test, answer: Answer, what: string): void {
  t.equal(answer.status, 503, `${what}: ${answer.text}`)
  t.equal(jsonOf(answer)['code'], 'STORAGE_UNAVAILABLE')
  t.equal(answer.headers['retry-after'], '1')
}

/** Requests that need the storage are answered 503, and all others are served. */
async function goesOnWithout(t: Test, base: string, token: string): Promise<void> {
  const headers = bearer(token)
  const product = { name: 'n', price: 1 }
  const asked = {
    upload: sendForm(base, small, { token }),
    download: ask(base, SOME_KEY),
    deletion: ask(base, SOME_KEY, { method: 'DELETE', headers }),
    product: ask(base, '/products/p'),
    'product to be put': ask(base, '/products/p', { method: 'PUT', json: product, headers }),
  }
  for (const [what, answer] of Object.entries(asked)) isUnavailable(t, await answer, what)
  const readiness = await ask(base, '/health/ready')
  t.equal(readiness.status, 503)
  t.match(jsonOf(readiness), { checks: { redis: { ok: true }, storage: { ok: false } } })
  t.equal((await ask(base, '/health')).status, 200)
  t.equal((await ask(base, '/me', { headers })).status, 200)
}

for (const BALANCERS of ['1', '0']) {
  void t.test(
    `a store that is killed during uploads is restarted without a trace of them, with BALANCERS=${BALANCERS}`,
    async t => {
      const cluster = await Cluster.start(t, { BALANCERS, RATE_LIMIT_MAX: '0' })
      const base = cluster.url
      await cluster.ready()
      const { token } = await member(base)
      const kept = jsonOf(await sendForm(base, form({ name: 'file', filename: 'x', content: 'kept' }), { token }))
      const view = new StorageView(t, storageAddressOf(cluster))
      const before = await view.keys()
      const others = { worker: cluster.pids('worker'), balancer: cluster.pids('balancer') }

      const uploads = Array.from({ length: 4 }, () => new UploadRequest(base, { token }))
      for (const upload of uploads) {
        await upload.write(partHead({ name: 'file', filename: 'x' }))
        await upload.write(Buffer.alloc(6 * 1024 ** 2))
      }
      await view.hasIncomplete(4)
      const [old] = cluster.pids('store')
      process.kill(old!, 'SIGSTOP')
      for (const upload of uploads) upload.request.end(FORM_END)
      process.kill(old!, 'SIGKILL')
      for (const { answer } of uploads) {
        const { status, headers } = await within(answer, 'an answer', 20_000)
        t.ok([502, 503].includes(status), String(status))
        t.equal(headers['retry-after'], '1')
      }
      await cluster.has('store', 1, [old!])
      await cluster.ready()
      t.strictSame(await view.keys(), before)
      t.equal((await sendForm(base, small, { token })).status, 201)
      t.equal((await ask(base, String(kept['url']))).body.toString(), 'kept')
      t.strictSame({ worker: cluster.pids('worker'), balancer: cluster.pids('balancer') }, others)
    },
  )
}

void t.test('an instance starts without its storage, reports it as away, and recovers', async t => {
  const port = await freePort()
  const cluster = await Cluster.start(t, externally(`http://127.0.0.1:${port}`))
  t.ok(cluster.lines.some(line => line.includes(`storage    http://127.0.0.1:${port}`)))
  t.strictSame(cluster.pids('store'), [])
  const { token } = await member(cluster.url)
  await goesOnWithout(t, cluster.url, token)

  const store = new ObjectStore({ ...keys, directory: temporaryFolder(t), port })
  t.teardown(() => store.stop())
  await store.start()
  await cluster.ready()
  const stored = jsonOf(await sendForm(cluster.url, small, { token }))
  t.equal((await ask(cluster.url, String(stored['url']))).status, 200)
  await store.stop()
  await goesOnWithout(t, cluster.url, token)
})

void t.test('a storage that accepts connections and never answers counts as away', async t => {
  const server = net.createServer(socket => socket.on('error', () => undefined).resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const cluster = await Cluster.start(t, externally(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`))
  await goesOnWithout(t, cluster.url, (await member(cluster.url)).token)
})

void t.test('a storage that refuses the keys counts as away', async t => {
  const store = new ObjectStore({ ...keys, secretKey: 'another', directory: temporaryFolder(t), port: 0 })
  const { port } = await store.start()
  t.teardown(() => store.stop())
  const cluster = await Cluster.start(t, externally(`http://127.0.0.1:${port}`))
  await goesOnWithout(t, cluster.url, (await member(cluster.url)).token)
})

void t.test('a download is visibly cut when the storage exits', async t => {
  const cluster = await Cluster.start(t, { RATE_LIMIT_MAX: '0', WORKERS: '1' })
  const base = cluster.url
  await cluster.ready()
  const { token } = await member(base)
  const content = Buffer.alloc(40 * 1024 ** 2)
  const { url } = jsonOf(await sendForm(base, form({ name: 'file', filename: 'x', content }), { token }))
  const [store] = cluster.pids('store')
  process.kill(store!, 'SIGSTOP')
  const fetched = ask(base, String(url))
  process.kill(store!, 'SIGKILL')
  const outcome = await fetched.then(
    ({ status, body }) => (status === 200 ? `${body.length} bytes` : status),
    () => 'cut',
  )
  t.ok(['cut', 503].includes(outcome), String(outcome))
  await cluster.has('store', 1, [store!])
  await cluster.ready()
  t.ok((await ask(base, String(url))).body.equals(content))
})
