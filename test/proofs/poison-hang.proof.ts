import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { PoisonedCluster } from '../helpers/poisoned-cluster.js'
import { MODES } from '../helpers/modes.js'

/** Of the load. In mesh mode each of their connections may be at a worker that ends. */
const CLIENTS = 8
const MINUTE_MS = 60_000

// Most of the time is spent waiting.
t.jobs = 2

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`a GET each minute that hangs the event loop costs what the promise names, in ${mode}`, async t => {
    const poisoned = await PoisonedCluster.start(t, BALANCERS)
    const { cluster, load } = poisoned
    for (let round = 0; round < 2; round += 1) {
      const pause = sleep(MINUTE_MS)
      const answer = await ask(cluster.url, '/hang', { timeoutMs: MINUTE_MS }).then(
        ({ status }) => status,
        () => 'reset',
      )
      t.equal(answer, 502)
      await pause
    }
    const loaded = await load.stop()
    const failed = loaded.answers.filter(({ status }) => status !== 200)
    t.strictSame(new Set(failed.map(({ status }) => status)), new Set(failed.length === 0 ? [] : [502]))
    const ended = poisoned.count(/"worker exited/)
    // One request hangs two workers, and the next of its kind within a minute one.
    t.ok(ended <= (BALANCERS === '1' ? 4 : 2), `${ended} workers ended`)
    const allowed = BALANCERS === '1' ? 0 : ended * CLIENTS
    const lost = loaded.failures.length + failed.length
    t.ok(lost <= allowed, `${lost} requests were lost`)
    t.equal(poisoned.count(/crash loop/), 0)
    t.equal(poisoned.count(/worker failed while it had/), 0)
    t.ok(poisoned.count(/GET \/hang ended \d workers? in \d+ s/) >= 1, 'the log names the request')
    t.comment(`${failed.length} of the load were answered 502`)
    poisoned.report(t, loaded, ended)
    t.match(await cluster.stop(), { code: 0 })
  })
}
