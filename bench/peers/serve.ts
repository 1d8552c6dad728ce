import { freePorts, untilServing } from '../lib/net.js'
import { script } from '../lib/paths.js'
import { start, stop, type Started } from '../lib/processes.js'
import type { Running, StartOptions } from './peer.js'

export const serveScript = script('servers/serve.js')

/** A program on a loopback port, once it serves. */
export async function servingAt(port: number, started: Started): Promise<Running> {
  const origin = `http://127.0.0.1:${port}`
  await untilServing(origin, started)
  return { origin, elders: [started.pid], stop: () => stop(started) }
}

/** A proxy on a loopback port and the workers behind it, once all of them serve. */
export async function proxyServingAt(
  port: number,
  proxy: Started,
  { ports, started }: Workers,
  signal?: NodeJS.Signals,
): Promise<Running> {
  await Promise.all(ports.map(each => untilServing(`http://127.0.0.1:${each}`)))
  const { origin } = await servingAt(port, proxy)
  return {
    origin,
    elders: [proxy.pid, ...started.map(({ pid }) => pid)],
    async stop() {
      await stop(proxy, signal)
      await Promise.all(started.map(worker => stop(worker)))
    },
  }
}

interface Workers {
  ports: number[]
  started: Started[]
}

/** Node workers, each on a loopback port of its own, for a proxy in front. */
export async function startWorkers(name: string, { workers, redisUrl, node, env }: StartOptions): Promise<Workers> {
  const ports = await freePorts(workers)
  const started = ports.map(port => {
    const listen = { PORT: String(port), BENCH_REDIS_URL: redisUrl }
    return start(`${name}-worker`, node, [serveScript], { ...env, ...listen })
  })
  return { ports, started }
}
