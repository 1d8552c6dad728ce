import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ask, Load, type LoadReport } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'

const MODES = { 'default mode': '1', 'mesh mode': '0' }
const CLIENTS = 8
const MINUTE_MS = 60_000

/** A method and path that ended so many workers is not tried a second time. */
const ENDED_BY_RETRIES = 3
/** The log names one kind of request once in ten seconds. */
const LINES_A_MINUTE = 7

async function start(t: Test, BALANCERS: string): Promise<{ cluster: Cluster; load: Load }> {
  const cluster = await Cluster.start(t, { APP: fixture('poison-app.js'), WORKERS: '4', BALANCERS })
  const load = new Load(cluster.url, '/', CLIENTS)
  await until(() => load.answered > 50, 'some answers')
  return { cluster, load }
}

function count(cluster: Cluster, pattern: RegExp): number {
  return cluster.lines.filter(line => pattern.test(line)).length
}

function report(t: Test, { answers, failures }: LoadReport, ended: number): void {
  t.comment(`${answers.length} requests, ${failures.length} lost, ${ended} workers ended`)
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`a GET each second that ends its worker costs no other request anything, in ${mode}`, async t => {
    const { cluster, load } = await start(t, BALANCERS)
    const statuses: number[] = []
    let sent = 0
    for (const endAt = performance.now() + MINUTE_MS; performance.now() < endAt; sent += 1) {
      const pause = sleep(1_000)
      statuses.push((await ask(cluster.url, `/bug?round=${sent}`)).status)
      await pause
    }
    const loaded = await load.stop()
    t.strictSame(new Set(statuses), new Set([502]))
    t.strictSame(loaded.failures, [])
    t.strictSame(new Set(loaded.answers.map(({ status }) => status)), new Set([200]))
    const ended = count(cluster, /"worker exited/)
    t.ok(ended <= sent + ENDED_BY_RETRIES, `${ended} workers ended by ${sent} requests`)
    const lines = count(cluster, /GET \/bug ended \d+ workers? in \d+ s/)
    t.ok(lines > 0 && lines <= LINES_A_MINUTE, `${lines} lines name the request`)
    t.equal(count(cluster, /crash loop/), 0)
    report(t, loaded, ended)
    t.match(await cluster.stop(), { code: 0 })
  })
}
