import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, Load } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { isAlive } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/harness.js'

/**
 * An app that allocates 200 MiB on request, and answers that request once the file of its process exists.
 * From then on it prints a line each second, as often as its heartbeat.
 */
const app = (folder: string): string => `
import { existsSync } from 'node:fs'
let held
export default (request, response) => {
  if (request.url !== '/grow') return response.end(String(process.pid))
  held = Buffer.alloc(200 * 1024 * 1024, 1)
  console.log('grown in ' + process.pid)
  setInterval(() => console.log('alive in ' + process.pid), 1000)
  const look = setInterval(() => {
    if (!existsSync('${folder}/' + process.pid)) return
    clearInterval(look)
    response.end(String(process.pid))
  }, 10)
}
`

// Most of the time is spent waiting for heartbeats, so both modes run at once.
t.jobs = 2

for (const BALANCERS of ['1', '0']) {
  void t.test(`workers over their memory limit are replaced one at a time, with BALANCERS=${BALANCERS}`, async t => {
    const folder = temporaryFolder(t)
    const APP = join(folder, 'app.mjs')
    writeFileSync(APP, app(folder))
    const cluster = await Cluster.start(t, { APP, BALANCERS, WORKER_MAX_MEMORY: '220M' })
    const { url } = cluster
    const said = (pattern: RegExp): string[] => cluster.lines.filter(line => pattern.test(line))
    const replacements = (): string[] => said(/"worker is being replaced: /)
    const before = cluster.pids('worker')

    const serving = async (): Promise<Set<string>> =>
      new Set(await Promise.all(before.map(async () => (await ask(url, '/')).text)))
    await until(async () => (await serving()).size === 2, 'both to serve')

    const slow = before.map(() => ask(url, '/grow'))
    await until(() => said(/grown in/).length === 2, 'both to grow')
    const load = new Load(url, '/', 2, 10)
    await cluster.printed(/"worker is being replaced: /)
    t.match(replacements(), [/over memory limit \(\d+ of \d+ bytes\)/])

    const [fresh] = (await cluster.has('worker', 3)).filter(pid => !before.includes(pid))
    await until(async () => (await ask(url, '/')).text === String(fresh), 'the replacement to serve')
    const alive = said(/alive in/).length
    await until(() => said(/alive in/).length >= alive + 4, 'two lines of each')
    t.ok(before.every(isAlive), 'the old worker runs until its request ends')
    t.equal(replacements().length, 1, 'the other worker waits until the old one has exited')

    for (const pid of before) writeFileSync(join(folder, String(pid)), '')
    await until(() => replacements().length === 2, 'the turn of the other one')
    const after = await cluster.has('worker', 2, before)
    t.ok(after.includes(fresh!), 'a worker that was just started is not replaced again')
    t.equal(replacements().length, 2)
    for (const answer of await Promise.all(slow)) t.match(answer, { status: 200 })
    const { answers, failures } = await load.stop()
    t.strictSame(failures, [])
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]))
    t.match(await cluster.stop(), { code: 0 })
  })
}
