import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { MODES } from '../helpers/modes.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'
import { RawConnection, requestBytes } from '../helpers/raw-http.js'

const APP = 'leaves-upgrades.cjs'
const PATHS = ['/taken', '/ignored']

/** Two clients ask for an upgrade, and leave once the app has seen it. */
async function leave(port: number, seen: (path: string) => Promise<unknown>): Promise<void> {
  for (const path of PATHS) {
    const client = await RawConnection.open(port)
    client.write(requestBytes(`GET ${path}`, ['Connection: Upgrade', 'Upgrade: x']))
    await seen(path)
    client.destroy()
  }
}

void t.test('an app that leaves upgraded connections open ends as soon as under plain node', async t => {
  const plain = await PlainNode.start(t, [APP])
  await leave(plain.port, path => until(() => plain.output.includes(`upgrade of ${path}`), 'the upgrade'))
  t.equal(await plain.end('SIGTERM'), 0)
  for (const [mode, BALANCERS] of Object.entries(MODES)) {
    // A worker or a balancer that waits fails the test by its own deadline.
    const env = { APP, BALANCERS, WORKERS: '1', SHUTDOWN_TIMEOUT_MS: '600000', UPSTREAM_TIMEOUT_MS: '600000' }
    const cluster = await Cluster.start(t, env, undefined, strangers)
    for (const worker of [1, 2]) {
      const seen = (path: string): Promise<unknown> =>
        cluster.printed(new RegExp(`^\\[worker ${worker}\\] upgrade of ${path}$`))
      await leave(cluster.port, seen)
      if (worker === 1) await cluster.reload()
    }
    t.match(await cluster.stop(), { code: 0 }, mode)
  }
})
