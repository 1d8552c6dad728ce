import http from 'node:http'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { accountSuite } from './suites/accounts.js'
import { badInputSuite } from './suites/bad-input.js'
import { productSuite } from './suites/products.js'
import { MAX_BYTES, uploadSuite } from './suites/uploads.js'

const WORKERS = 2
const env = { WORKERS: String(WORKERS), RATE_LIMIT_MAX: '0', UPLOAD_MAX_BYTES: String(MAX_BYTES) }
const cluster = await Cluster.start(t, env)

void t.test('a thousand requests are served half by each of two workers', async t => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  t.teardown(() => agent.destroy())
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => ask(cluster.url, '/health', { agent })))
  const names = answers.map(({ headers }) => headers['x-outpost-worker'])
  for (const name of new Set(names)) {
    const served = names.filter(other => other === name).length
    t.ok(Math.abs(served - 500) <= 1, `${served} of 1000`)
  }
})

void t.test('accounts', t => accountSuite(t, cluster, WORKERS))
void t.test('bad input', t => badInputSuite(t, cluster))
void t.test('products', t => productSuite(t, cluster, WORKERS))
void t.test('uploads', t => uploadSuite(t, cluster, WORKERS))
