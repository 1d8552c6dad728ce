import { freePorts } from '../lib/net.js'
import { script } from '../lib/paths.js'
import { start, type Started } from '../lib/processes.js'
import type { StartOptions } from './peer.js'

export const serveScript = script('servers/serve.js')

/** Node workers, each on a loopback port of its own, for a proxy in front. */
export async function startWorkers(
  name: string,
  { workers, redisUrl, node, env }: StartOptions,
): Promise<{ ports: number[]; started: Started[] }> {
  const ports = await freePorts(workers)
  const started = ports.map(port => {
    const listen = { PORT: String(port), BENCH_REDIS_URL: redisUrl }
    return start(`${name}-worker`, node, [serveScript], { ...env, ...listen })
  })
  return { ports, started }
}
