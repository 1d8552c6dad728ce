import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'

/** An app that finishes loading once the file `go` exists. */
const app = (go: string): string => `
import { existsSync } from 'node:fs'
console.log('loading in ' + process.pid)
while (!existsSync('${go}')) await new Promise(resolve => setTimeout(resolve, 10))
export default (request, response) => response.end(String(process.pid))
`

void t.test('a worker that gets SIGTERM before it serves is replaced', async t => {
  const folder = temporaryFolder(t)
  const [APP, go] = [join(folder, 'app.mjs'), join(folder, 'go')]
  writeFileSync(APP, app(go))
  const cluster = Cluster.spawn(t, { APP, WORKERS: '1' })
  const loading = (): number[] =>
    cluster.lines.flatMap(line => /loading in (\d+)/.exec(line)?.[1] ?? []).map(pid => Number(pid))
  /** The process that was the `count`th to load the app. */
  const loads = async (count: number): Promise<number> => {
    await until(() => loading().length >= count, `the app to be loaded ${count} times`)
    return loading()[count - 1]!
  }

  await t.test('the first worker gets SIGTERM', async () => {
    const first = await loads(1)
    process.kill(first, 'SIGTERM')
    const second = await loads(2)
    writeFileSync(go, '')
    await cluster.serving()
    await cluster.has('worker', 1, [first])
    t.match(await ask(cluster.url, '/'), { status: 200, text: String(second) })
  })

  await t.test('the replacement of a worker gets SIGTERM', async () => {
    const [old] = cluster.pids('worker')
    rmSync(go)
    cluster.signal('SIGHUP')
    const third = await loads(3)
    process.kill(third, 'SIGTERM')
    writeFileSync(go, '')
    const fourth = await loads(4)
    await cluster.has('worker', 1, [old!, third])
    t.match(await ask(cluster.url, '/'), { status: 200, text: String(fourth) })
  })

  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a stop does not wait for a worker that does not serve yet', async t => {
  const APP = join(temporaryFolder(t), 'app.mjs')
  writeFileSync(APP, `console.log('loading'); export default () => new Promise(() => setInterval(() => {}, 1_000))`)
  const cluster = Cluster.spawn(t, { APP, WORKERS: '1', SHUTDOWN_TIMEOUT_MS: '300000' })
  await cluster.printed(/loading/)
  t.match(await cluster.stop(), { code: 0 })
})
