/** node:cluster and nothing else: the limit of the platform. No proxy, no check, no count; a reload loses requests. */
import cluster from 'node:cluster'

if (cluster.isPrimary) {
  for (let i = 0; i < Number(process.env['BENCH_WORKERS']); i += 1) cluster.fork()
} else await import('./serve.js')
