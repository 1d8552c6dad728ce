import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { MODES } from '../helpers/modes.js'
import { MANY, realtimeBadInputSuite } from '../integration/suites/realtime-bad-input.js'
import { realtimeSuite } from '../integration/suites/realtime.js'

const WORKERS = 2
const SESSIONS = 300

// The same with fewer clients is in the suite.
for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`realtime works for hundreds of clients, in ${mode}`, async t => {
    const cluster = await Cluster.start(t, {
      BALANCERS,
      WORKERS: String(WORKERS),
      // A poll is answered before this time, so what drains waits for polls no longer.
      UPSTREAM_TIMEOUT_MS: '10000',
      MAX_WEBSOCKETS_PER_CLIENT: String(MANY.limit),
    })
    await realtimeBadInputSuite(t, cluster, MANY)
    await realtimeSuite(t, cluster, WORKERS, SESSIONS)
  })
}
