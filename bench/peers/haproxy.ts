import fs from 'node:fs'
import path from 'node:path'
import { freePort } from '#scripts/lib/free-port.js'
import { findProgram, needProgram, newFolder, start } from '../lib/processes.js'
import type { Peer } from './peer.js'
import { proxyServingAt, startWorkers } from './serve.js'

/** HAProxy the way its own manual sets up a web service: turns, active checks, kept connections on both sides. */
export const haproxy: Peer = {
  name: 'haproxy',
  is: 'HAProxy: round robin, checks, kept connections, over workers on ports of their own',
  missing: () =>
    findProgram('haproxy') === undefined ? 'haproxy is not installed (apt-get install haproxy)' : undefined,
  async start(options) {
    const workers = await startWorkers('haproxy', options)
    const port = await freePort()
    const file = path.join(newFolder('haproxy'), 'haproxy.cfg')
    fs.writeFileSync(file, configuration(port, workers.ports))
    // -db keeps HAProxy in the foreground.
    return proxyServingAt(port, start('haproxy', needProgram('haproxy'), ['-db', '-f', file]), workers)
  },
}

function configuration(port: number, appPorts: readonly number[]): string {
  return `global
  maxconn 4000
defaults
  mode http
  option http-keep-alive
  option forwardfor
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout http-keep-alive 75s
frontend public
  bind 127.0.0.1:${port}
  default_backend app
backend app
  balance roundrobin
  http-reuse always
  option httpchk GET /health
  default-server check inter 2s fall 3 rise 2
${appPorts.map((each, index) => `  server w${index} 127.0.0.1:${each}`).join('\n')}
`
}
