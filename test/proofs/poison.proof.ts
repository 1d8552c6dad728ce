import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { PoisonedCluster } from '../helpers/poisoned-cluster.js'
import { MODES } from '../helpers/modes.js'

const MINUTE_MS = 60_000

/** A method and path that ended so many workers is not tried a second time. */
const ENDED_BY_RETRIES = 3
/** The log names one kind of request once in ten seconds. */
const LINES_A_MINUTE = 7

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`a GET each second that ends its worker costs no other request anything, in ${mode}`, async t => {
    const poisoned = await PoisonedCluster.start(t, BALANCERS)
    const { cluster, load } = poisoned
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
    const ended = poisoned.count(/"worker exited/)
    t.ok(ended <= sent + ENDED_BY_RETRIES, `${ended} workers ended by ${sent} requests`)
    const lines = poisoned.count(/GET \/bug ended \d+ workers? in \d+ s/)
    t.ok(lines > 0 && lines <= LINES_A_MINUTE, `${lines} lines name the request`)
    t.equal(poisoned.count(/crash loop/), 0)
    poisoned.report(t, loaded, ended)
    t.match(await cluster.stop(), { code: 0 })
  })
}
