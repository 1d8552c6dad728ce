/** The app on a port or a unix socket of its own. PM2 runs it; Nginx, HAProxy and the bare proxy forward to it. */
import http from 'node:http'
import app from './app.js'

const server = http.createServer(app)
// Longer than any proxy here keeps an unused connection. Otherwise a proxy could send on a connection that closes.
server.keepAliveTimeout = 75_000
server.listen(process.env['BENCH_LISTEN'] ?? Number(process.env['PORT'] ?? 3000))
