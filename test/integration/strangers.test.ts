import { mkdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'
import { RawConnection, requestBytes } from '../helpers/raw-http.js'
import { MODES } from '../helpers/modes.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

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
  'asks-itself.cjs': {},
  'exported-function.cjs': {},
  'exported-start.cjs': {},
  'exported-class.mjs': {},
  'late-listen.cjs': {},
  'port-probe.cjs': {},
  'own-descriptor.cjs': {},
  'listen-again.cjs': {},
  'hears-nothing.cjs': {},
  'disconnects.cjs': {},
  'forks-and-threads.mjs': {},
  'observed.cjs': {},
  'store-at-listen.cjs': { paths: ['/', '/again', '/last'] },
  'removes-listeners.cjs': { paths: ['/', '/again'] },
}

/** One worker and no balancer, for what depends on the start of a worker alone. */
const alone = { WORKERS: '1', BALANCERS: '0' }

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
      const cluster = await start(t, name, { BALANCERS, WORKERS: '1', APP_ARGS: quoted(args), ...env })
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
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`an app that ends by its own signal is not waited for, in ${mode}`, async t => {
    // A worker that waits fails the test by its own deadline.
    const env = { BALANCERS, WORKERS: '1', SHUTDOWN_TIMEOUT_MS: '600000' }
    const cluster = await start(t, 'ends-itself.cjs', env)
    await cluster.reload()
    await cluster.printed(/^\[worker 1\] hooks have run$/)
    t.match(await ask(cluster.url, '/'), { status: 200, text: 'ok' })
    t.match(await cluster.stop(), { code: 0 })
    t.strictSame(
      cluster.lines.filter(line => /"level":"(error|fatal)"/.test(line)),
      [],
    )
  })
}

/** The answer to a client that offers another protocol, up to the end of the connection. */
async function upgradeOf(port: number, protocol: string): Promise<[number, string | undefined]> {
  const client = await RawConnection.open(port)
  const { status, headers } = await client
    .write(requestBytes('GET /', ['Connection: Upgrade', `Upgrade: ${protocol}`]))
    .response()
  client.destroy()
  return [status, headers['upgrade']]
}

void t.test("an upgrade to any protocol reaches the app's own server, as under plain node", async t => {
  const plain = await PlainNode.start(t, ['late-listen.cjs'])
  for (const [mode, BALANCERS] of Object.entries(MODES)) {
    const cluster = await start(t, 'late-listen.cjs', { BALANCERS, WORKERS: '1' })
    for (const protocol of ['x', 'websocket']) {
      t.strictSame(
        await upgradeOf(cluster.port, protocol),
        await upgradeOf(plain.port, protocol),
        `${mode}, ${protocol}`,
      )
    }
  }
})

void t.test('an app that does not use PORT is served there, and the log says so', async t => {
  const cluster = await start(t, 'own-port.cjs', {})
  await cluster.printed(/app does not listen on PORT=\d+: its listener on port 4390 is served there/)
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'own port' })
  t.match(await ask('http://127.0.0.1:4390', '/'), { status: 200, text: 'own port' })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('an app that takes long to listen is waited for, and the log says so after five seconds', async t => {
  const cluster = await start(t, 'slow.cjs', alone)
  await cluster.printed(/app does not listen on PORT=\d+ yet: /)
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'slow' })
})

void t.test('START_TIMEOUT_MS ends the wait', async t => {
  const env = { APP: 'slow.cjs', ...alone, START_TIMEOUT_MS: '3000' }
  const cluster = Cluster.spawn(t, env, undefined, strangers)
  await cluster.printed(/not ready within 3 s/)
})

void t.test('NODE_OPTIONS are for the workers, and are found from the folder of the app', async t => {
  const cluster = await start(t, 'preloaded.cjs', { ...alone, OUTPOST_NODE_OPTIONS: '--require ./preloaded-first.cjs' })
  t.equal((await ask(cluster.url, '/')).text, 'preloaded')
  t.match(await cluster.stop(), { code: 0 })
})

for (const hook of ['--require', '--import']) {
  void t.test(`an app that exports is found behind NODE_OPTIONS with ${hook}`, async t => {
    const options = `${hook} ./preloaded-first.cjs`
    for (const name of ['exports-an-app.mjs', 'exports-an-app.cjs']) {
      const cluster = await start(t, name, { ...alone, OUTPOST_NODE_OPTIONS: options })
      t.equal((await ask(cluster.url, '/')).text, 'exported', name)
      t.match(await cluster.stop(), { code: 0 })
    }
  })
}

void t.test('APP_ENTRY=export serves an export at once, and a later listen takes its place', async t => {
  const DATABASE = join(temporaryFolder(t), 'database')
  const env = { ...alone, APP_ENTRY: 'export', DATABASE }
  const cluster = await start(t, 'late-listen.cjs', env)
  t.equal((await ask(cluster.url, '/')).text, '{"database":false,"own":false}')
  writeFileSync(DATABASE, '')
  const last = async (): Promise<boolean> => (await ask(cluster.url, '/')).text === '{"database":true,"own":true}'
  await until(last, 'the server of the app')
})

void t.test('APP_ENTRY=export serves the export of an app that listens on another port as well', async t => {
  const folder = temporaryFolder(t)
  const source = `
    const answering = text => (request, response) => response.end(text)
    require('http').createServer(answering('metrics')).listen(0)
    module.exports = answering('exported')`
  writeFileSync(join(folder, 'index.js'), source)
  const cluster = await start(t, folder, { ...alone, APP_ENTRY: 'export' })
  t.equal((await ask(cluster.url, '/')).text, 'exported')
})

void t.test('an app that ends without a listener and without an export is told so at once', async t => {
  const cluster = Cluster.spawn(t, { APP: 'ends.cjs', ...alone }, undefined, strangers)
  await cluster.printed(/APP=.*ends\.cjs: app ended without a listener, and its default export is no app: \{.*\}/)
})

void t.test('variables that apps use for themselves do not keep Outpost from starting', async t => {
  const env = {
    LOG_LEVEL: 'verbose',
    NODE_ENV: 'production',
    SESSION_SECRET: 'short',
    S3_ENDPOINT: 'https://s3.example.org',
    REDIS_URL: '127.0.0.1:6379',
    HOST: 'shop.invalid',
    HOME: '',
  }
  const cluster = await start(t, 'environment.cjs', { ...env, ...alone })
  t.match(JSON.parse((await ask(cluster.url, '/')).text), { ...env, PORT: String(cluster.port) })
  await cluster.printed(/LOG_LEVEL=verbose is left to the app: Outpost accepts one of .*; OUTPOST_LOG_LEVEL is never/)
  await cluster.printed(/HOST=shop.invalid is left to the app/)
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a folder is started as its package.json says', async t => {
  const folder = temporaryFolder(t)
  const source = `require('http').createServer((q, r) => r.end(process.argv.slice(2).join())).listen(process.env.PORT)`
  writeFileSync(join(folder, 'www.js'), source)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: 'node ./www one' } }))
  const cluster = await start(t, folder, { ...alone, APP_ARGS: 'two' })
  t.equal((await ask(cluster.url, '/')).text, 'one,two')
})

void t.test('a start script that is not followed is in the log', async t => {
  const folder = temporaryFolder(t)
  writeFileSync(
    join(folder, 'index.js'),
    `require('http').createServer((q, r) => r.end('ok')).listen(process.env.PORT)`,
  )
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: 'node --env-file=.env .' } }))
  const cluster = await start(t, folder, alone)
  await cluster.printed(/"command":"node --env-file=.env .","msg":"start command is not followed/)
})

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`a worker starts from where the link of the folder points now, in ${mode}`, async t => {
    const folder = realpathSync(temporaryFolder(t))
    const current = join(folder, 'current')
    for (const name of ['one', 'two']) {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, 'name.txt'), name)
      const source = `const read = () => require('fs').readFileSync('name.txt', 'utf8')
        const answer = [${JSON.stringify(name)}, read()].join(' in ')
        require('http').createServer((request, response) => response.end(answer)).listen(process.env.PORT)`
      writeFileSync(join(folder, name, 'app.js'), source)
    }
    symlinkSync('one', current)
    const env = { APP: './app.js', PWD: current, DATA_DIR: join(folder, 'data'), WORKERS: '1', BALANCERS }
    const cluster = await Cluster.start(t, env, undefined, current)
    t.equal((await ask(cluster.url, '/')).text, 'one in one')
    symlinkSync('two', join(folder, 'next'))
    renameSync(join(folder, 'next'), current)
    rmSync(join(folder, 'one'), { recursive: true })
    await cluster.reload()
    t.equal((await ask(cluster.url, '/')).text, 'two in two')
    t.match(await cluster.stop(), { code: 0 })
  })
}
