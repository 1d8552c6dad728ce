import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, untilServing } from '../lib/net.js'
import { newFolder, start, stop } from '../lib/processes.js'

const built = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const benchApp = fileURLToPath(new URL('../servers/app.js', import.meta.url))

/**
 * Outpost as it is started by anybody, with everything on. Only what would count against the load generator is set
 * aside: rate limits, since all its requests come from one address.
 */
export const outpost = outpostFrom(built, 'outpost', 'Outpost, one balancer process (BALANCERS=1), everything on', 1)
export const outpostMesh = outpostFrom(built, 'outpost-mesh', 'Outpost in mesh mode (BALANCERS=0), everything on', 0)

/** The same of another build: see compare.js. */
export function outpostFrom(program, name, is, balancers) {
  return {
    name,
    is,
    missing: () => (fs.existsSync(program) ? undefined : 'it is not built (npm run build)'),
    async start({ workers, redisUrl, app = 'bench', env, nodeArguments = [] }) {
      const [port, adminPort] = await freePorts(2)
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
        ...(app === 'bench' ? { APP: benchApp } : {}),
      }
      const child = start(name, process.execPath, [...nodeArguments, program], { env: { ...settings, ...env } })
      const origin = `http://127.0.0.1:${port}`
      await untilServing(origin, child)
      return { origin, elders: [child.pid], stop: () => stop(child), reload: () => reload(dataDir) }
    },
  }
}

/** Its own command over the control socket, which is answered when every worker has been replaced. */
function reload(dataDir) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path.join(dataDir, 'run', 'control.sock'), () => socket.write('{"command":"reload"}\n'))
    let text = ''
    socket.setEncoding('utf8').on('data', chunk => {
      text += chunk
      if (!text.includes('\n')) return
      socket.destroy()
      const { ok, error } = JSON.parse(text)
      if (ok) resolve()
      else reject(new Error(`outpost reload: ${error}`))
    })
    socket.once('error', reject)
  })
}
