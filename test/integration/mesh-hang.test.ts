import t, { type Test } from 'tap'
import { ask, jsonOf, type Answer } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { strangers } from '../helpers/plain-node.js'
import { RawConnection, requestBytes } from '../helpers/raw-http.js'

/** Its worker hangs for ten seconds before it is killed. */
const HANG_MS = 60_000

// Most of the time is spent waiting for the primary.
t.jobs = 3

async function start(t: Test, env: Record<string, string> = {}, cwd?: string): Promise<Cluster> {
  const all = { APP: fixture('poison-app.js'), EMBED: 'none', WORKERS: '1', BALANCERS: '0', LOG_LEVEL: 'debug', ...env }
  const cluster = await Cluster.start(t, all, undefined, cwd)
  await cluster.printed(/"stand-in of the worker has started"/)
  return cluster
}

function broken(t: Test, answer: Answer): void {
  t.match(answer, {
    status: 502,
    headers: { connection: 'close', 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  })
  t.match(jsonOf(answer), { code: 'UPSTREAM_BROKEN', requestId: answer.headers['x-request-id'] })
}

void t.test('requests at a mesh worker that hangs are answered 502, and the one that hangs it is named', async t => {
  const cluster = await start(t)
  const before = cluster.pids('worker')
  const waiting = ask(cluster.url, '/never?1', { method: 'POST', body: 'x'.repeat(100_000), timeoutMs: HANG_MS })
  const named = ask(cluster.url, '/never?2', { headers: { 'x-request-id': 'not-trusted' }, timeoutMs: HANG_MS })
  await cluster.printed(/waits for ever: \/never\?1/)
  await cluster.printed(/waits for ever: \/never\?2/)
  const endless = await RawConnection.open(cluster.port)
  t.teardown(() => endless.destroy())
  endless.write(requestBytes('GET /endless'))
  await until(() => endless.unread.includes('begun'), 'the first part of an answer')
  const head = await RawConnection.open(cluster.port)
  t.teardown(() => head.destroy())
  head.write(requestBytes('HEAD /never?3'))
  await cluster.printed(/waits for ever: \/never\?3/)

  broken(t, await ask(cluster.url, '/hang?a=secret&asleep', { timeoutMs: HANG_MS }))
  broken(t, await waiting)
  broken(t, await named)
  const answer = (await head.rest()).toString()
  t.match(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/)
  t.match(answer, /\r\n\r\n$/, 'the answer to a HEAD has no body')
  t.match((await endless.rest()).toString(), /begun\r\n$/, 'an answer that has begun is only cut')

  await cluster.printed(/"worker is killed: no heartbeat for 10 s"/)
  await cluster.printed(/"GET \/hang ended 1 worker in 1 s"/)
  await cluster.has('worker', 1, before)
  t.equal((await ask(cluster.url, '/')).status, 200)
  t.notOk(cluster.lines.some(line => /soon after|crash loop|secret/.test(line)))
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a request that hangs a mesh worker later is named if it was alone there', async t => {
  const cluster = await start(t)
  broken(t, await ask(cluster.url, '/hang-later?asleep', { timeoutMs: HANG_MS }))
  await cluster.printed(/"GET \/hang-later ended 1 worker in 1 s"/)
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('all requests at a mesh worker are named if it is not known which of them hung it', async t => {
  const cluster = await start(t)
  const waiting = ask(cluster.url, '/never', { timeoutMs: HANG_MS })
  await cluster.printed(/waits for ever/)
  broken(t, await ask(cluster.url, '/hang-later?asleep', { method: 'POST', timeoutMs: HANG_MS }))
  broken(t, await waiting)
  await cluster.printed(/worker failed while it had GET \/never, POST \/hang-later/)
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('an app sees nothing of the thread that stands in, and can end as under node', async t => {
  const APP = 'counts-threads.cjs'
  const cluster = await start(t, { APP, NODE_OPTIONS: `--require ./${APP}` }, strangers)
  t.equal((await ask(cluster.url, '/')).text, '0 threads, 0 ports')
  t.match(await cluster.stop(), { code: 0 })
  t.ok(cluster.lines.some(line => line.includes('app exits')))
  t.notOk(cluster.lines.some(line => line.includes('a thread has loaded it')))
})
