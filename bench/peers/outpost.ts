import fs from 'node:fs'
import { ControlClient } from '#src/control/client.js'
import { freePorts } from '../lib/net.js'
import { program as built, script } from '../lib/paths.js'
import { newFolder, start } from '../lib/processes.js'
import type { Peer } from './peer.js'
import { servingAt } from './serve.js'

/**
 * Outpost with its defaults, everything on. Only rate limits are off: all requests of
 * the load generator come from one address.
 */
export const outpost = outpostFrom(built, 'outpost', 'Outpost, one balancer process (BALANCERS=1), everything on', 1)
export const outpostMesh = outpostFrom(built, 'outpost-mesh', 'Outpost in mesh mode (BALANCERS=0), everything on', 0)

/** Outpost from another build: see compare.ts. */
export function outpostFrom(program: string, name: string, is: string, balancers: number): Peer {
  return {
    name,
    is,
    missing: () => (fs.existsSync(program) ? undefined : 'it is not built (npm run build)'),
    async start({ workers, redisUrl, node, app = 'bench', env, nodeArguments = [] }) {
      const [port = 0, adminPort = 0] = await freePorts(2)
      const dataDir = newFolder('outpost')
      const settings = {
        HOST: '127.0.0.1',
        PORT: String(port),
        ADMIN_PORT: String(adminPort),
        WORKERS: String(workers),
        BALANCERS: String(balancers),
        DATA_DIR: dataDir,
        REDIS_URL: redisUrl,
        BENCH_REDIS_URL: redisUrl,
        SESSION_SECRET: 'the same for every peer, of 32 characters at least',
        RATE_LIMIT_MAX: '0',
        // The app exports what it serves, and its client of Redis would have Outpost wait whether it listens itself.
        ...(app === 'bench' ? { APP: script('servers/app.js'), APP_ENTRY: 'export' } : {}),
      }
      const running = await servingAt(port, start(name, node, [...nodeArguments, program], { ...settings, ...env }))
      const reload = async (): Promise<void> => {
        await (await ControlClient.of(dataDir)).reload()
      }
      return { ...running, reload }
    },
  }
}
