import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'

// Most of the time is spent waiting, so three tests run at once.
t.jobs = 3

/** An app that answers with its version, and streams for as long as its client reads. */
const app = (version: string): string => `
export default (request, response) => {
  if (request.url !== '/long') return response.end('${version}')
  response.write('begun ')
  process.once('SIGUSR2', () => response.end('${version}'))
}
`

void t.test('a reload does not cut a long download from an old worker', async t => {
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
  await cluster.printed(/"reload finished"/)
  t.ok(cluster.pids('worker').includes(old!), 'the old worker still runs')
  process.kill(old!, 'SIGUSR2')
  let rest = ''
  for await (const chunk of answer) rest += String(chunk)
  t.equal(first + rest, 'begun old')
  await cluster.has('worker', 1, [old!])
})

for (const BALANCERS of ['1', '0']) {
  void t.test(`a download that lasts longer than DRAIN_TIMEOUT_MS is cut, with BALANCERS=${BALANCERS}`, async t => {
    const APP = join(temporaryFolder(t), 'app.mjs')
    writeFileSync(APP, app('old'))
    const limits = { DRAIN_TIMEOUT_MS: '300', SHUTDOWN_TIMEOUT_MS: '60000' }
    const cluster = await Cluster.start(t, { APP, BALANCERS, WORKERS: '1', ...limits })
    const [old] = cluster.pids('worker')
    const request = http.get(`${cluster.url}/long`, { agent: false })
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
    cluster.signal('SIGHUP')
    await t.rejects(answer.resume().toArray(), 'at the end of the drain, not of a shutdown')
    await cluster.has('worker', 1, [old!])
    t.match(await cluster.stop(), { code: 0 })
  })
}
