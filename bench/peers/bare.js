import { fileURLToPath } from 'node:url'
import { freePort, untilServing } from '../lib/net.js'
import { newFolder, start, stop } from '../lib/processes.js'

/** Neither is something to run in production; they show how fast the parts are that Outpost is made of. */
export const bareHttpProxy = bare(
  'bare-http-proxy',
  '20 lines around http-proxy, unix sockets, nothing checked or counted: the limit of the forwarder',
)
export const bareCluster = bare('bare-cluster', 'node:cluster alone: the limit of the platform')

function bare(name, is) {
  const script = fileURLToPath(new URL(`../servers/${name}.js`, import.meta.url))
  return {
    name,
    is,
    missing: () => undefined,
    async start({ workers, redisUrl, env, nodeArguments = [] }) {
      const port = await freePort()
      const settings = {
        PORT: String(port),
        BENCH_WORKERS: String(workers),
        BENCH_SOCKETS: newFolder('sockets'),
        BENCH_REDIS_URL: redisUrl,
      }
      const child = start(name, process.execPath, [...nodeArguments, script], { env: { ...env, ...settings } })
      const origin = `http://127.0.0.1:${port}`
      await untilServing(origin, child)
      return { origin, elders: [child.pid], stop: () => stop(child) }
    },
  }
}
