import t from 'tap'
import { ask, sharesOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { accountSuite } from './suites/accounts.js'
import { badInputSuite } from './suites/bad-input.js'
import { productSuite } from './suites/products.js'
import { MAX_BYTES, uploadSuite } from './suites/uploads.js'

const WORKERS = 2
const env = { BALANCERS: '0', WORKERS: String(WORKERS), RATE_LIMIT_MAX: '0', UPLOAD_MAX_BYTES: String(MAX_BYTES) }
const cluster = await Cluster.start(t, env)

void t.test('mesh mode has no balancer process and deals connections in turn', async t => {
  t.ok(cluster.lines.some(line => /^ {2}balancers +none \(mesh/.test(line)))
  t.equal(cluster.pids('balancer').length, 0)
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(cluster.url, '/health')))
  const shares = Object.entries(sharesOf(answers))
  t.equal(shares.length, WORKERS)
  for (const [name, served] of shares) t.ok(Math.abs(served - 50) <= 1, `${name}: ${served} of 100`)
})

void t.test('accounts work over several workers in mesh mode', t => accountSuite(t, cluster, WORKERS))
void t.test('bad requests are refused and harm no other request in mesh mode', t => badInputSuite(t, cluster))
void t.test('products work over several workers in mesh mode', t => productSuite(t, cluster, WORKERS))
void t.test('uploads work over several workers in mesh mode', t => uploadSuite(t, cluster, WORKERS))
