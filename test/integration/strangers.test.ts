import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'

const MODES = { 'default mode': '1', 'mesh mode': '0' }

interface Stranger {
  paths?: string[]
  args?: string[]
  env?: Record<string, string>
}

/** Every app of another's: it answers as under plain node. */
const apps: Record<string, Stranger> = {
  'relative-files.cjs': {},
  'main-guard.cjs': {},
  'main-guard.mjs': {},
  'arguments.cjs': { args: ['two words', "it's", '-x'] },
  'side-door-first.cjs': { paths: ['/', '/admin', '/metrics'] },
  'exported-function.cjs': {},
  'exported-start.cjs': {},
  'exported-class.mjs': {},
  'late-listen.cjs': {},
  'port-probe.cjs': {},
  'listen-again.cjs': {},
  'hears-nothing.cjs': {},
  'forks-and-threads.mjs': {},
}

async function answersOf(url: string, paths: string[]): Promise<Array<[number, string]>> {
  const answers = []
  for (const path of paths) answers.push(await ask(url, path))
  return answers.map(({ status, text }) => [status, text])
}

function quoted(words: readonly string[]): string {
  return words.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
}

function start(t: Test, APP: string, env: Record<string, string>): Promise<Cluster> {
  return Cluster.start(t, { APP, ...env }, undefined, strangers)
}

for (const [name, { paths = ['/'], args = [], env = {} }] of Object.entries(apps)) {
  void t.test(`${name} answers as under plain node`, async t => {
    const plain = await PlainNode.start(t, [name, ...args], env)
    const expected = await answersOf(plain.url, paths)
    for (const [mode, BALANCERS] of Object.entries(MODES)) {
      const cluster = await start(t, name, { BALANCERS, APP_ARGS: quoted(args), ...env })
      t.strictSame(await answersOf(cluster.url, paths), expected, mode)
      t.match(await cluster.stop(), { code: 0 }, mode)
    }
  })
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`an app's own SIGTERM listener runs at a reload and at the stop, in ${mode}`, async t => {
    const plain = await PlainNode.start(t, ['flushes-at-the-end.cjs'])
    t.equal(await plain.end('SIGTERM'), 0)
    t.equal(plain.output, 'flushed at SIGTERM: no error\n')
    const cluster = await start(t, 'flushes-at-the-end.cjs', { BALANCERS, WORKERS: '1' })
    await cluster.reload()
    await cluster.printed(/^\[worker 1\] flushed at SIGTERM: no error$/)
    t.match(await ask(cluster.url, '/'), { status: 200, text: 'ok' })
    t.match(await cluster.stop(), { code: 0 })
    await cluster.printed(/^\[worker 2\] flushed at SIGTERM: no error$/)
  })

  void t.test(`an app that serves HTTP/2 on PORT is told what to do, in ${mode}`, async t => {
    const cluster = Cluster.spawn(t, { APP: 'http2.cjs', BALANCERS, WORKERS: '1', PORT: '0' }, undefined, strangers)
    await cluster.printed(/listens on PORT=\d+ with HTTP\/2.*: listen with http.createServer on PORT/)
  })
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
  void t.test(`an app whose /health is bad is served, and hears of no probe, in ${mode}`, async t => {
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

void t.test('an app that knows nothing of PORT is served there, and told', async t => {
  const cluster = await start(t, 'own-port.cjs', {})
  await cluster.printed(/app does not listen on PORT=\d+: its listener on port 4390 is served there/)
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'own port' })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('an app that takes long to listen is waited for, and the log says so after five seconds', async t => {
  const cluster = await start(t, 'slow.cjs', { WORKERS: '1' })
  await cluster.printed(/app does not listen on PORT=\d+ yet: /)
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'slow' })
})

void t.test('START_TIMEOUT_MS ends the wait', async t => {
  const env = { APP: 'slow.cjs', WORKERS: '1', START_TIMEOUT_MS: '3000' }
  const cluster = Cluster.spawn(t, env, undefined, strangers)
  await cluster.printed(/not ready within 3 s/)
})

void t.test('NODE_OPTIONS are for the workers, and are found from the folder of the app', async t => {
  const cluster = await start(t, 'preloaded.cjs', { OUTPOST_NODE_OPTIONS: '--require ./preloaded-first.cjs' })
  t.equal((await ask(cluster.url, '/')).text, 'preloaded')
  t.match(await cluster.stop(), { code: 0 })
})

for (const hook of ['--require', '--import']) {
  void t.test(`an app that exports is found behind NODE_OPTIONS with ${hook}`, async t => {
    const options = `${hook} ./preloaded-first.cjs`
    for (const name of ['exports-an-app.mjs', 'exports-an-app.cjs']) {
      const cluster = await start(t, name, { OUTPOST_NODE_OPTIONS: options, WORKERS: '1' })
      t.equal((await ask(cluster.url, '/')).text, 'exported', name)
      t.match(await cluster.stop(), { code: 0 })
    }
  })
}

void t.test('APP_ENTRY=export serves an export at once, and a later listen takes its place', async t => {
  const cluster = await start(t, 'late-listen.cjs', { APP_ENTRY: 'export', WORKERS: '1', BALANCERS: '0' })
  t.equal((await ask(cluster.url, '/')).text, '{"database":false,"own":false}')
  const last = async (): Promise<boolean> => (await ask(cluster.url, '/')).text === '{"database":true,"own":true}'
  await until(last, 'the server of the app')
})

void t.test('an app that ends without a listener and without an export is told so at once', async t => {
  const cluster = Cluster.spawn(t, { APP: 'ends.cjs', WORKERS: '1' }, undefined, strangers)
  await cluster.printed(/APP=.*ends\.cjs: module ended without a listener, and its default export is no app: \{/)
})

void t.test('what apps use the environment for does not keep Outpost from starting', async t => {
  const env = {
    LOG_LEVEL: 'verbose',
    NODE_ENV: 'production',
    SESSION_SECRET: 'short',
    S3_ENDPOINT: 'https://s3.example.org',
    REDIS_URL: '127.0.0.1:6379',
    HOST: 'shop.invalid',
    HOME: '',
  }
  const cluster = await start(t, 'environment.cjs', { ...env, WORKERS: '1' })
  t.match(JSON.parse((await ask(cluster.url, '/')).text), { ...env, PORT: String(cluster.port) })
  await cluster.printed(/LOG_LEVEL=verbose is left to the app: accepted is one of .*; OUTPOST_LOG_LEVEL is never/)
  await cluster.printed(/HOST=shop.invalid is left to the app/)
  t.match(await cluster.stop(), { code: 0 })
})

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(
    `what an app keeps in the memory of each worker is in the log once, with the remedy, in ${mode}`,
    async t => {
      const cluster = await start(t, 'local-state.cjs', { BALANCERS })
      for (const path of ['/', '/', '/', '/', '/socket.io/?EIO=4&transport=polling']) await ask(cluster.url, path)
      const local = /app keeps its (sessions|rate limits|rooms) in the memory of each worker: /
      await cluster.printed(/keeps its rooms .*: outpost.io\(\) or an adapter/)
      await cluster.printed(/keeps its sessions .*: outpost.session\(\), a shared store or STICKY=cookie/)
      await cluster.printed(/keeps its rate limits .*: outpost.rateLimit\(\) or a shared store/)
      t.equal(cluster.lines.filter(line => local.test(line)).length, 3)
      t.match(await cluster.stop(), { code: 0 })
    },
  )
}

void t.test('nothing is said about the memory of an only worker', async t => {
  const cluster = await start(t, 'local-state.cjs', { WORKERS: '1' })
  for (const path of ['/', '/socket.io/?EIO=4&transport=polling']) await ask(cluster.url, path)
  t.match(await cluster.stop(), { code: 0 })
  t.notOk(cluster.lines.find(line => line.includes('app keeps its')))
})

void t.test('a plain app costs no Redis and no store', async t => {
  const cluster = await start(t, 'relative-files.cjs', {})
  t.match(cluster.supervision(), { redis: [], store: [] })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('an app whose package.json names clients finds Redis and the store in its environment', async t => {
  const cluster = await start(t, 'names-clients', { WORKERS: '1' })
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'PONG, stored' })
  const [redis, store] = [cluster.pids('redis'), cluster.pids('store')]
  t.strictSame([redis.length, store.length], [1, 1])
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a lent service starts the server that it needs, and no other', async t => {
  const cluster = await start(t, 'lent-redis.mjs', {})
  await cluster.has('redis', 1)
  t.match(await ask(cluster.url, '/'), { status: 200, text: '1' })
  t.match(await ask(cluster.url, '/'), { status: 200, text: '2' })
  t.strictSame(cluster.pids('store'), [])
  t.notOk(cluster.lines.find(line => line.includes('redis is away')))
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a lent service without a server is an error that names EMBED', async t => {
  const cluster = Cluster.spawn(t, { APP: 'lent-redis.mjs', EMBED: 'none', WORKERS: '1' }, undefined, strangers)
  await cluster.printed(/outpost\.redis has no Redis with EMBED=none: set REDIS_URL, or EMBED=auto/)
})

void t.test('EMBED starts servers that nothing else asks for, and never overwrites what is set', async t => {
  const env = { EMBED: 'all', REDIS_URL: 'localhost', S3_ACCESS_KEY: 'of-the-app', WORKERS: '1' }
  const cluster = await start(t, 'environment.cjs', env)
  await cluster.has('redis', 1)
  await cluster.has('store', 1)
  const found = JSON.parse((await ask(cluster.url, '/')).text) as NodeJS.ProcessEnv
  t.match(found, { REDIS_URL: 'localhost', S3_ACCESS_KEY: 'of-the-app' })
  t.notHas(found, { S3_ENDPOINT: String })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a folder is started as its package.json says', async t => {
  const folder = temporaryFolder(t)
  const source = `require('http').createServer((q, r) => r.end(process.argv.slice(2).join())).listen(process.env.PORT)`
  writeFileSync(join(folder, 'www.js'), source)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: 'node ./www one' } }))
  const cluster = await start(t, folder, { WORKERS: '1', APP_ARGS: 'two' })
  t.equal((await ask(cluster.url, '/')).text, 'one,two')
})
