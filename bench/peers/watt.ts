import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { freePort } from '#scripts/lib/free-port.js'
import { benchFolder } from '../lib/paths.js'
import { newFolder, start } from '../lib/processes.js'
import type { Peer } from './peer.js'
import { servingAt, serveScript } from './serve.js'

const packages = fileURLToPath(new URL('node_modules', benchFolder))
const program = path.join(packages, 'wattpm/bin/cli.js')

/** Platformatic's application server, with its own defaults apart from the number of workers. */
export const watt: Peer = {
  name: 'watt',
  is: 'Watt 3: workers in threads of one process, which share the port',
  missing: () => (fs.existsSync(program) ? undefined : 'wattpm could not be installed into bench/'),
  async start({ workers, redisUrl, node, env, nodeArguments = [] }) {
    const folder = newFolder('watt')
    const port = await freePort()
    fs.symlinkSync(packages, path.join(folder, 'node_modules'))
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
    fs.writeFileSync(path.join(folder, 'app.js'), `import ${JSON.stringify(pathToFileURL(serveScript).href)}`)
    fs.writeFileSync(path.join(folder, 'watt.json'), JSON.stringify(configuration(port, workers)))
    const settings = { PORT: String(port), BENCH_REDIS_URL: redisUrl, PLT_TELEMETRY_DISABLED: '1' }
    return servingAt(port, start('watt', node, [...nodeArguments, program, 'start', folder], { ...env, ...settings }))
  },
}

function configuration(port: number, workers: number): object {
  return {
    $schema: 'https://schemas.platformatic.dev/@platformatic/node/3.65.0.json',
    node: { main: 'app.js', hasServer: true },
    runtime: {
      logger: { level: 'error' },
      server: { hostname: '127.0.0.1', port },
      workers,
      management: false,
      watch: false,
    },
  }
}
