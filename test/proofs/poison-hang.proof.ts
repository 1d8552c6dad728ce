import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ask, Load, type LoadReport } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'

const MODES = { 'default mode': '1', 'mesh mode': '0' }
const CLIENTS = 8
const MINUTE_MS = 60_000

// Most of the time is spent waiting.
t.jobs = 2

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
  void t.test(`a GET each minute that hangs the event loop costs what the promise names, in ${mode}`, async t => {
    const { cluster, load } = await start(t, BALANCERS)
    for (let round = 0; round < 2; round += 1) {
      const pause = sleep(MINUTE_MS)
      const answer = await ask(cluster.url, '/hang', { timeoutMs: MINUTE_MS }).then(
        ({ status }) => status,
        () => 'reset',
      )
      // In mesh mode the hung worker itself holds the connection, so nobody can answer on it.
      t.equal(answer, BALANCERS === '1' ? 502 : 'reset')
      await pause
    }
    const loaded = await load.stop()
    t.strictSame(new Set(loaded.answers.map(({ status }) => status)), new Set([200]))
    const ended = count(cluster, /"worker exited/)
    // One request hangs two workers, and the next of its kind within a minute one.
    t.ok(ended <= (BALANCERS === '1' ? 4 : 2), `${ended} workers ended`)
    const allowed = BALANCERS === '1' ? 0 : ended * CLIENTS
    t.ok(loaded.failures.length <= allowed, `${loaded.failures.length} requests were lost`)
    t.equal(count(cluster, /crash loop/), 0)
    report(t, loaded, ended)
    t.match(await cluster.stop(), { code: 0 })
  })
}
