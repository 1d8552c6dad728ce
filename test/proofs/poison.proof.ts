import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { until } from '../helpers/deadline.js'
import { PoisonedCluster } from '../helpers/poisoned-cluster.js'
import { MODES } from '../helpers/modes.js'

const MINUTE_MS = 60_000

/** A method and path that ended so many workers is not tried a second time. */
const ENDED_BY_RETRIES = 3
/** The log names one kind of request once in ten seconds. */
const LINES_A_MINUTE = 7
/** More than the early exits after which a place stays empty. */
const EXITS = 15

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`a GET each second that ends its worker costs no other request anything, in ${mode}`, async t => {
    const poisoned = await PoisonedCluster.start(t, BALANCERS)
    const { cluster } = poisoned
    const statuses: number[] = []
    let sent = 0
    for (const endAt = performance.now() + MINUTE_MS; performance.now() < endAt; sent += 1) {
      const pause = sleep(1_000)
      statuses.push((await ask(cluster.url, `/bug?round=${sent}`)).status)
      await pause
    }
    const loaded = await poisoned.lossless(t)
    t.strictSame(new Set(statuses), new Set([502]))
    const ended = poisoned.count(/"worker exited/)
    t.ok(ended <= sent + ENDED_BY_RETRIES, `${ended} workers ended by ${sent} requests`)
    const lines = poisoned.count(/GET \/bug ended \d+ workers? in \d+ s/)
    t.ok(lines > 0 && lines <= LINES_A_MINUTE, `${lines} lines name the request`)
    t.equal(poisoned.count(/crash loop/), 0)
    poisoned.report(t, loaded, ended)
    t.match(await cluster.stop(), { code: 0 })
  })
}

void t.test('all workers killed three times cost no request anything', async t => {
  const poisoned = await PoisonedCluster.start(t, '1')
  for (let round = 0; round < 3; round += 1) await poisoned.killAll()
  await poisoned.lossless(t)
  t.match(await poisoned.cluster.stop(), { code: 0 })
})

void t.test('a GET that makes its app exit, again and again, is no sign of a crash loop in mesh mode', async t => {
  const poisoned = await PoisonedCluster.start(t, '0')
  await poisoned.load.stop()
  const { cluster } = poisoned
  for (let round = 0; round < EXITS; round += 1) {
    // More would be on their way to a worker that is gone, and be reset.
    await poisoned.isWhole()
    await until(() => ask(cluster.url, '/').then(({ status }) => status === 200), 'a worker to answer')
    t.equal((await ask(cluster.url, `/exit?round=${round}`)).status, 502)
  }
  t.equal(poisoned.count(/crash loop/), 0)
  t.match(await cluster.stop(), { code: 0 })
})
