import { freePort } from '#scripts/lib/free-port.js'
import { script } from '../lib/paths.js'
import { newFolder, start } from '../lib/processes.js'
import type { Peer } from './peer.js'
import { servingAt } from './serve.js'

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
      const args = [...nodeArguments, script(`servers/${name}.js`)]
      return servingAt(port, start(name, node, args, { ...env, ...settings }))
    },
  }
}
