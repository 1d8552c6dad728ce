import { fileURLToPath } from 'node:url'
import { freePorts } from '../lib/net.js'
import { start } from '../lib/processes.js'

export const serveScript = fileURLToPath(new URL('../servers/serve.js', import.meta.url))

/** Node workers, each on a loopback port of its own, for a proxy in front. */
export async function startWorkers(name, { workers, redisUrl, env }) {
  const ports = await freePorts(workers)
  const children = ports.map(port => {
    const listen = { PORT: String(port), BENCH_REDIS_URL: redisUrl }
    return start(`${name}-worker`, process.execPath, [serveScript], { env: { ...env, ...listen } })
  })
  return { ports, children }
}
