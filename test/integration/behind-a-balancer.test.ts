import http from 'node:http'
import t from 'tap'
import { ask, sharesOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { signInAndOut } from './suites/accounts.js'
import { badInputSuite } from './suites/bad-input.js'
import { MAX_BYTES, uploadSuite } from './suites/uploads.js'

const WORKERS = 2
const env = { WORKERS: String(WORKERS), RATE_LIMIT_MAX: '0', UPLOAD_MAX_BYTES: String(MAX_BYTES) }
const cluster = await Cluster.start(t, env)

void t.test('a thousand requests are served half by each of two workers', async t => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  t.teardown(() => agent.destroy())
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => ask(cluster.url, '/health', { agent })))
  const shares = Object.entries(sharesOf(answers))
  t.equal(shares.length, WORKERS)
  for (const [name, served] of shares) t.ok(Math.abs(served - 500) <= 1, `${name}: ${served} of 1000`)
})

void t.test('accounts work over several workers behind a balancer', t => signInAndOut(t, cluster))
void t.test('bad requests are refused and harm no other request behind a balancer', t => badInputSuite(t, cluster))
void t.test('uploads work over several workers behind a balancer', t => uploadSuite(t, cluster, WORKERS))
