import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'

void t.test('unanswered requests of a mesh worker with an uncaught exception go to other workers', async t => {
  const env = { APP: fixture('instrumented-app.js'), EMBED: 'none', WORKERS: '3', BALANCERS: '0' }
  const cluster = await Cluster.start(t, env)
  const [go, crashed] = [join(cluster.dataDir, 'go'), join(cluster.dataDir, 'crashed')]

  const pids = new Set<unknown>()
  await until(async () => pids.add(jsonOf(await ask(cluster.url, '/whoami'))['pid']).size === 3, 'all three')

  const begun = (): number => cluster.lines.filter(line => line.includes('waiting for')).length
  const reading = Array.from({ length: 9 }, () => ask(cluster.url, `/wait?until=${go}`))
  await until(() => begun() === 9, 'all to wait')

  const answer = await ask(cluster.url, `/crash?once=${crashed}`)
  t.equal(answer.status, 200, 'another worker answers the request that caused the exception')
  const broken = Number(/about to crash in (\d+)/.exec(await cluster.printed(/about to crash/))?.[1])
  t.not(jsonOf(answer)['pid'], broken)

  await until(() => begun() > 9, 'the others to be taken to siblings')
  writeFileSync(go, '')
  for (const { status, text } of await Promise.all(reading)) t.match({ status, text }, { status: 200 })

  await cluster.has('worker', 3, [broken])
  t.match(await ask(cluster.url, '/whoami'), { status: 200 })
  t.match(await cluster.stop(), { code: 0 })
})

void t.test(
  'unanswered requests of the only mesh worker wait for the next one after an uncaught exception',
  async t => {
    const cluster = await Cluster.start(t, {
      APP: fixture('instrumented-app.js'),
      EMBED: 'none',
      WORKERS: '1',
      BALANCERS: '0',
    })
    const before = cluster.pids('worker')
    const answer = await ask(cluster.url, `/crash?once=${join(cluster.dataDir, 'crashed')}`)
    t.equal(answer.status, 200)
    t.notOk(before.includes(Number(jsonOf(answer)['pid'])))
    t.match(await cluster.stop(), { code: 0 })
  },
)

void t.test('POST requests of a mesh worker with an uncaught exception are answered 502', async t => {
  const cluster = await Cluster.start(t, {
    APP: fixture('instrumented-app.js'),
    EMBED: 'none',
    WORKERS: '1',
    BALANCERS: '0',
  })
  const other = ask(cluster.url, '/wait?until=/never', { method: 'POST' })
  await cluster.printed(/waiting for/)
  const crash = ask(cluster.url, `/crash?once=${join(cluster.dataDir, 'crashed')}`, { method: 'POST' })
  for (const answer of await Promise.all([crash, other])) {
    t.match(answer, { status: 502, headers: { connection: 'close' } })
    t.match(jsonOf(answer), { code: 'UPSTREAM_BROKEN' })
  }
  t.match(await cluster.stop(), { code: 0 })
})
