import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { FEW, realtimeBadInputSuite } from './suites/realtime-bad-input.js'
import { realtimeSuite } from './suites/realtime.js'

const WORKERS = 2
/** A poll is answered before this time, so a draining balancer waits for polls no longer. */
const UPSTREAM_TIMEOUT_MS = '10000'

const cluster = await Cluster.start(t, {
  BALANCERS: '1',
  WORKERS: String(WORKERS),
  UPSTREAM_TIMEOUT_MS,
  MAX_WEBSOCKETS_PER_CLIENT: String(FEW.limit),
})

void t.test('bad realtime messages end only their own connection, behind a balancer', t =>
  realtimeBadInputSuite(t, cluster),
)
void t.test('realtime messages reach the clients of all workers behind a balancer', t =>
  realtimeSuite(t, cluster, WORKERS),
)
