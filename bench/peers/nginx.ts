import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '#scripts/lib/free-port.js'
import { freePorts, untilServing } from '../lib/net.js'
import { benchFolder } from '../lib/paths.js'
import {
  asLastResort,
  findProgram,
  needProgram,
  newFolder,
  run,
  start,
  stop,
  type Environment,
  type Started,
} from '../lib/processes.js'
import type { Peer, StartOptions } from './peer.js'
import { proxyServingAt, serveScript, startWorkers } from './serve.js'

const pm2Program = fileURLToPath(new URL('node_modules/pm2/bin/pm2', benchFolder))

/** The guide's own way: PM2 in cluster mode, Nginx in front of its port with the guide's server block. */
export const pm2Nginx: Peer = {
  name: 'pm2-nginx',
  is: 'PM2 7 cluster mode behind Nginx, configured as the guide shows: the common setup',
  missing() {
    if (findProgram('nginx') === undefined) return 'nginx is not installed (apt-get install nginx-light)'
    return fs.existsSync(pm2Program) ? undefined : 'PM2 could not be installed into bench/'
  },
  async start(options) {
    const [port = 0, appPort = 0] = await freePorts(2)
    const pm2 = startPm2(appPort, options)
    try {
      const nginx = startNginx('pm2-nginx', guidesConfiguration(port, appPort))
      const origin = `http://127.0.0.1:${port}`
      await untilServing(origin, nginx)
      return {
        origin,
        elders: [pm2.pid, nginx.pid],
        // PM2's own command ends when every worker has been replaced.
        reload: () => pm2.command(['reload', 'bench']),
        async stop() {
          await stop(nginx, 'SIGQUIT')
          pm2.kill()
        },
      }
    } catch (error) {
      pm2.kill()
      throw error
    }
  },
}

/** Nginx as an expert configures it: kept connections to every worker, no log, nothing left at its default. */
export const nginxTuned: Peer = {
  name: 'nginx-tuned',
  is: 'Nginx with 128 kept upstream connections over workers on ports of their own: the setup of an expert',
  missing: () =>
    findProgram('nginx') === undefined ? 'nginx is not installed (apt-get install nginx-light)' : undefined,
  async start(options) {
    const workers = await startWorkers('nginx-tuned', options)
    const port = await freePort()
    const nginx = startNginx('nginx-tuned', tunedConfiguration(port, workers.ports))
    return proxyServingAt(port, nginx, workers, 'SIGQUIT')
  },
}

interface Pm2 {
  /** The pid of PM2's daemon. */
  pid: number
  /** Runs one of PM2's commands during a load. */
  command: (args: readonly string[]) => Promise<void>
  kill: () => void
}

/** PM2 with a home of its own, separate from any other PM2 of this user. It is ended by its own command. */
function startPm2(appPort: number, { workers, redisUrl, node, env }: StartOptions): Pm2 {
  const home = newFolder('pm2')
  const ecosystem = path.join(home, 'ecosystem.config.cjs')
  const app = {
    name: 'bench',
    script: serveScript,
    instances: workers,
    exec_mode: 'cluster',
    env: { NODE_ENV: 'production', PORT: String(appPort), BENCH_REDIS_URL: redisUrl, ...env },
  }
  fs.writeFileSync(ecosystem, `module.exports = ${JSON.stringify({ apps: [app] }, undefined, 2)}\n`)
  const environment: Environment = { PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true' }
  const pm2 = (args: readonly string[]): string => run(node, [pm2Program, ...args], environment)
  const forget = asLastResort(() => pm2(['kill', '--silent']))
  const kill = (): void => {
    pm2(['kill', '--silent'])
    forget()
  }
  try {
    pm2(['start', ecosystem, '--silent'])
  } catch (error) {
    kill()
    throw error
  }
  return {
    pid: Number(fs.readFileSync(path.join(home, 'pm2.pid'), 'utf8')),
    async command(args) {
      const started = start('pm2-command', node, [pm2Program, ...args, '--silent'], environment)
      await started.over
      await stop(started)
      const { exitCode } = started.child
      if (exitCode !== 0) throw new Error(`pm2 ${args.join(' ')}: exit code ${String(exitCode)}`)
    },
    kill,
  }
}

/** A configuration, given the folder it may use. */
type Configuration = (folder: string) => string

function startNginx(name: string, configuration: Configuration): Started {
  const folder = newFolder('nginx')
  const file = path.join(folder, 'nginx.conf')
  fs.writeFileSync(file, configuration(folder))
  return start(name, needProgram('nginx'), ['-c', file, '-p', folder])
}

/**
 * The guide's server block (its upstream is the one port that PM2's cluster shares) inside the rest of Debian's stock
 * nginx.conf, access log included: the block is pasted into that file.
 */
function guidesConfiguration(port: number, appPort: number): Configuration {
  return folder => `${preamble(folder)}
events {
  worker_connections 768;
}
http {
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  default_type application/octet-stream;
  access_log ${folder}/access.log;
  gzip on;
${temporaryPaths(folder)}
  upstream express_app {
    server 127.0.0.1:${appPort};
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://express_app;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection 'upgrade';
      proxy_set_header Host $host;
      proxy_cache_bypass $http_upgrade;
    }
  }
}
`
}

function tunedConfiguration(port: number, appPorts: readonly number[]): Configuration {
  return folder => `${preamble(folder)}
worker_rlimit_nofile 65536;
events {
  worker_connections 16384;
  multi_accept on;
}
http {
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  access_log off;
  keepalive_requests 1000000;
${temporaryPaths(folder)}
  upstream express_app {
${appPorts.map(each => `    server 127.0.0.1:${each};`).join('\n')}
    keepalive 128;
    keepalive_requests 1000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096 reuseport;
    client_max_body_size 0;
    proxy_request_buffering off;
    location / {
      proxy_pass http://express_app;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`
}

function preamble(folder: string): string {
  // Started by root, Nginx would run as "nobody", which may not enter root's temporary folder.
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  return `${user}daemon off;
worker_processes auto;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;`
}

function temporaryPaths(folder: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(kind => `  ${kind}_temp_path ${folder}/${kind};`)
    .join('\n')
}
