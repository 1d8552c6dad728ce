/**
 * http-proxy with a keep-alive agent over unix sockets, in turn: the limit of the forwarder that Outpost uses.
 * Nothing is checked, counted, retried or held.
 */
import { fork } from 'node:child_process'
import http from 'node:http'
import httpProxy from 'http-proxy'

const serve = new URL('./serve.js', import.meta.url)
const sockets = Array.from(
  { length: Number(process.env['BENCH_WORKERS']) },
  (_, i) => `${process.env['BENCH_SOCKETS'] ?? ''}/${i}`,
)
for (const path of sockets) fork(serve, { env: { ...process.env, BENCH_LISTEN: path } })
const targets = sockets.map(socketPath => {
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 256 })
  return httpProxy.createProxyServer({ target: { socketPath } as httpProxy.ServerOptions['target'], agent })
})
let turn = 0
http
  .createServer((request, response) => {
    targets[turn++ % targets.length]?.web(request, response, undefined, () => response.destroy())
  })
  .listen(Number(process.env['PORT']), '127.0.0.1')
