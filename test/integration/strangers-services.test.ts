import t, { type Test } from 'tap'
import { io } from 'socket.io-client'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { strangers } from '../helpers/plain-node.js'
import { MODES } from '../helpers/modes.js'

function start(t: Test, APP: string, env: Record<string, string>): Promise<Cluster> {
  return Cluster.start(t, { APP, ...env }, undefined, strangers)
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(
    `state that an app keeps in the memory of each worker is in the log once, with the remedy, in ${mode}`,
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

void t.test('nothing is said about the memory of an only worker before there are two', async t => {
  const cluster = await start(t, 'local-state.cjs', { WORKERS: '1' })
  for (const path of ['/', '/socket.io/?EIO=4&transport=polling']) await ask(cluster.url, path)
  const local = (): string[] => cluster.lines.filter(line => line.includes('app keeps its'))
  // The worker has told the primary by then.
  await cluster.reload()
  t.strictSame(local(), [])
  await cluster.scale({ workers: 2 })
  await until(() => local().length === 3, 'all three hints')
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('sessions in memory cause no warning with STICKY=cookie', async t => {
  const cluster = await start(t, 'local-state.cjs', { STICKY: 'cookie' })
  for (const path of ['/', '/']) await ask(cluster.url, path)
  await cluster.printed(/app keeps its rate limits in the memory of each worker: /)
  t.match(await cluster.stop(), { code: 0 })
  t.notOk(cluster.lines.find(line => line.includes('app keeps its sessions')))
})

void t.test('a Socket.IO server whose clients never poll is found, too', async t => {
  const cluster = await start(t, 'local-state.cjs', {})
  const client = io(cluster.url, { transports: ['websocket'], reconnection: false })
  t.teardown(() => client.close())
  await cluster.printed(/app keeps its rooms in the memory of each worker: /)
})

for (const [LIMITS, where] of [
  ['memory', 'in the memory of each worker'],
  ['shared', 'in a store that workers share'],
] as const) {
  void t.test(`rate limits that an ES module counts ${where} are known as such`, async t => {
    const cluster = await start(t, 'limits.mjs', { LIMITS })
    for (let i = 0; i < 8; i += 1) t.match(await ask(cluster.url, '/'), { status: 200, text: 'counted' })
    if (LIMITS === 'memory') await cluster.printed(/app keeps its rate limits in the memory of each worker: /)
    t.match(await cluster.stop(), { code: 0 })
    t.equal(cluster.lines.filter(line => line.includes('app keeps its')).length, LIMITS === 'memory' ? 1 : 0)
  })
}

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
