import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, Load } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

/** An app that answers with its version. */
const app = (version: string): string => `
export default (request, response) => response.end('${version}')
`

for (const BALANCERS of ['1', '0']) {
  void t.test(`reloads work with BALANCERS=${BALANCERS}`, async t => {
    const folder = temporaryFolder(t)
    const APP = join(folder, 'app.mjs')
    writeFileSync(APP, app('one'))
    const cluster = await Cluster.start(t, { APP, BALANCERS })

    await t.test('a reload replaces every worker, and no request is lost', async t => {
      const before = cluster.pids('worker')
      const load = new Load(cluster.url, '/')
      t.strictSame(await cluster.reload(), { replaced: 2 })
      const { answers, failures } = await load.stop()
      t.strictSame(failures, [])
      t.strictSame([...new Set(answers.map(({ status, text }) => `${status} ${text}`))], ['200 one'])
      t.ok(answers.length > 0)
      await cluster.has('worker', 2, before)
    })

    await t.test('after a reload the new code answers', async t => {
      writeFileSync(APP, app('two'))
      await cluster.reload()
      const load = new Load(cluster.url, '/', 1)
      while (load.answered < 4) await new Promise(resolve => setImmediate(resolve))
      const { answers } = await load.stop()
      t.strictSame([...new Set(answers.map(({ text }) => text))], ['two'])
    })

    await t.test(
      'a reload whose worker does not become ready leaves the old workers serving and reports its output',
      async t => {
        writeFileSync(APP, 'console.log("no such table"); process.exit(3)')
        const before = cluster.pids('worker')
        const load = new Load(cluster.url, '/')
        const error = await failureOf(cluster.reload())
        const { answers, failures } = await load.stop()
        t.match(error, { code: 'RELOAD_FAILED', message: /did not become ready \(exit code 3\)/ })
        t.match(error.lastLines?.join('\n'), 'no such table')
        t.strictSame(failures, [])
        t.strictSame([...new Set(answers.map(({ text }) => text))], ['two'])
        t.strictSame(cluster.pids('worker'), before, 'the old ones are all there')
      },
    )

    await t.test('a reload whose worker exits right after it was ready leaves the old workers serving', async t => {
      // It is ready; and it exits long before it has served for a second.
      const end = join(folder, `end-${BALANCERS}`)
      const ending = `setInterval(() => existsSync(${JSON.stringify(end)}) && process.exit(4), 20).unref()`
      writeFileSync(APP, `import { existsSync } from 'node:fs'\n${ending}\n${app('three')}`)
      const before = cluster.pids('worker')
      const load = new Load(cluster.url, '/')
      const reload = failureOf(cluster.reload())
      const control = await ControlClient.of(cluster.dataDir)
      const hasNewWorker = async (): Promise<boolean> => {
        const { processes } = await control.status()
        return processes.some(
          ({ role, state, pid = 0 }) => role === 'worker' && state === 'ready' && !before.includes(pid),
        )
      }
      await until(hasNewWorker, 'a new worker that is ready')
      writeFileSync(end, '')
      const error = await reload
      const { failures } = await load.stop()
      t.match(error, { message: /did not last \(exit code 4\); the old workers keep serving/ })
      // Without a balancer, no process retries the requests of a worker that exits at once.
      if (BALANCERS === '1') t.strictSame(failures, [])
      t.strictSame(cluster.pids('worker'), before, 'the old ones are all there')
      t.match(await ask(cluster.url, '/'), { status: 200, text: 'two' })
    })
  })
}

void t.test('several reloads requested during a reload are followed by one', async t => {
  const APP = join(temporaryFolder(t), 'app.mjs')
  writeFileSync(APP, app('one'))
  const cluster = await Cluster.start(t, { APP, WORKERS: '1' })
  const reloads = (): number => cluster.lines.filter(line => line.includes('"reload finished"')).length
  const first = cluster.reload()
  await cluster.has('worker', 2)
  const answers = await Promise.all([first, ...Array.from({ length: 3 }, () => cluster.reload())])
  for (const answer of answers) t.strictSame(answer, { replaced: 1 })
  await until(() => reloads() === 2, 'the first reload, and one for all later requests')
  cluster.signal('SIGHUP')
  await until(() => reloads() > 2, 'the reload that a signal asks for', 30_000)
  t.equal(reloads(), 3)
})
