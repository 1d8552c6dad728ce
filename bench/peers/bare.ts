import { freePort } from '#scripts/lib/free-port.js'
import { untilServing } from '../lib/net.js'
import { script } from '../lib/paths.js'
import { newFolder, start, stop } from '../lib/processes.js'
import type { Peer } from './peer.js'

/** Not for production. These peers show the speed of the parts that Outpost is made of. */
export const bareHttpProxy = bare(
  'bare-http-proxy',
  '20 lines around http-proxy, unix sockets, nothing checked or counted: the limit of the forwarder',
)
export const bareCluster = bare('bare-cluster', 'node:cluster alone: the limit of the platform')

function bare(name: string, is: string): Peer {
  return {
    name,
    is,
    missing: () => undefined,
    async start({ workers, redisUrl, node, env, nodeArguments = [] }) {
      const port = await freePort()
      const settings = {
        PORT: String(port),
        BENCH_WORKERS: String(workers),
        BENCH_SOCKETS: newFolder('sockets'),
        BENCH_REDIS_URL: redisUrl,
      }
      const started = start(name, node, [...nodeArguments, script(`servers/${name}.js`)], { ...env, ...settings })
      const origin = `http://127.0.0.1:${port}`
      await untilServing(origin, started)
      return { origin, elders: [started.pid], stop: () => stop(started) }
    },
  }
}
