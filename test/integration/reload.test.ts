import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { Load } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'

/** What the control socket answers to a reload. */
async function reload(cluster: Cluster): Promise<Record<string, unknown>> {
  const socket = net.connect(join(cluster.dataDir, 'run', 'control.sock'))
  socket.write('{"command":"reload"}\n')
  const [line] = (await once(createInterface({ input: socket }), 'line')) as [string]
  socket.destroy()
  return JSON.parse(line) as Record<string, unknown>
}

/** An app that says its version, and streams for as long as its client reads. */
const app = (version: string): string => `
import http from 'node:http'
export default (request, response) => {
  if (request.url !== '/long') return response.end('${version}')
  response.write('begun ')
  process.once('SIGUSR2', () => response.end('${version}'))
}
`

for (const BALANCERS of ['1', '0']) {
  void t.test(`reload, with BALANCERS=${BALANCERS}`, async t => {
    const folder = temporaryFolder(t)
    const APP = join(folder, 'app.mjs')
    writeFileSync(APP, app('one'))
    const cluster = await Cluster.start(t, { APP, BALANCERS })

    await t.test('replaces every worker, and no request is lost', async t => {
      const before = cluster.pids('worker')
      const load = new Load(cluster.url, '/')
      t.strictSame(await reload(cluster), { ok: true, result: { replaced: 2 } })
      const { answers, failures } = await load.stop()
      t.strictSame(failures, [])
      t.strictSame([...new Set(answers.map(({ status, text }) => `${status} ${text}`))], ['200 one'])
      t.ok(answers.length > 0)
      await cluster.has('worker', 2, before)
    })

    await t.test('brings the new code in', async t => {
      writeFileSync(APP, app('two'))
      t.match(await reload(cluster), { ok: true })
      const load = new Load(cluster.url, '/', 1)
      while (load.answered < 4) await new Promise(resolve => setImmediate(resolve))
      const { answers } = await load.stop()
      t.strictSame([...new Set(answers.map(({ text }) => text))], ['two'])
    })

    await t.test('that does not come up leaves the old workers serving, and says what the new one printed', async t => {
      writeFileSync(APP, 'console.log("no such table"); process.exit(3)')
      const before = cluster.pids('worker')
      const load = new Load(cluster.url, '/')
      const answer = await reload(cluster)
      const { answers, failures } = await load.stop()
      t.match(answer, { ok: false, error: /did not become ready \(exit code 3\)/ })
      t.match((answer['lastLines'] as string[]).join('\n'), 'no such table')
      t.strictSame(failures, [])
      t.strictSame([...new Set(answers.map(({ text }) => text))], ['two'])
      t.strictSame(cluster.pids('worker'), before, 'the old ones are all there')
    })
  })
}

void t.test('asked for again and again during a reload, it follows once', async t => {
  const APP = join(temporaryFolder(t), 'app.mjs')
  writeFileSync(APP, app('one'))
  const cluster = await Cluster.start(t, { APP, WORKERS: '1' })
  const reloads = (): number => cluster.lines.filter(line => line.includes('"reloaded"')).length
  const answers = await Promise.all(Array.from({ length: 4 }, () => reload(cluster)))
  for (const answer of answers) t.strictSame(answer, { ok: true, result: { replaced: 1 } })
  await until(() => reloads() === 2, 'the first, and one for all who asked meanwhile')
  cluster.signal('SIGHUP')
  await until(() => reloads() > 2, 'the reload that a signal asks for', 30_000)
  t.equal(reloads(), 3)
})

void t.test('a long download keeps its old worker', async t => {
  const folder = temporaryFolder(t)
  const APP = join(folder, 'app.mjs')
  writeFileSync(APP, app('old'))
  const cluster = await Cluster.start(t, { APP, WORKERS: '1' })
  const [old] = cluster.pids('worker')
  const request = http.get(`${cluster.url}/long`, { agent: false })
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
  answer.setEncoding('utf8')
  const [first] = (await once(answer, 'data')) as [string]
  writeFileSync(APP, app('new'))
  cluster.signal('SIGHUP')
  await cluster.printed(/"reloaded"/)
  t.ok(cluster.pids('worker').includes(old!), 'it is still there')
  process.kill(old!, 'SIGUSR2')
  let rest = ''
  for await (const chunk of answer) rest += String(chunk)
  t.equal(first + rest, 'begun old')
  await cluster.has('worker', 1, [old!])
})
