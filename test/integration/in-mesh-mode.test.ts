import t from 'tap'
import { ask, member } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { accountSuite } from './suites/accounts.js'
import { badInputSuite } from './suites/bad-input.js'
import { productSuite } from './suites/products.js'
import { filesComeBack, MAX_BYTES } from './suites/uploads.js'

const WORKERS = 2
const env = { BALANCERS: '0', WORKERS: String(WORKERS), RATE_LIMIT_MAX: '0', UPLOAD_MAX_BYTES: String(MAX_BYTES) }
const cluster = await Cluster.start(t, env)
const START_MS = 30_000

/** The names of the workers that answer one connection after the other. */
async function namesOf(count: number): Promise<string[]> {
  const names: string[] = []
  while (names.length < count) names.push(String((await ask(cluster.url, '/health')).headers['x-outpost-worker']))
  return names
}

const isInTurn = (names: readonly string[]): boolean =>
  new Set(names).size === WORKERS && names.every((name, index) => name === names[index % WORKERS])

void t.test('mesh mode has no balancer process and deals connections in turn', async t => {
  t.ok(cluster.lines.some(line => /^ {2}balancers +none \(mesh/.test(line)))
  t.equal(cluster.pids('balancer').length, 0)
  // While the workers get to know each other, one of them may get all connections for a moment.
  await until(async () => isInTurn(await namesOf(50)), 'answers of the workers in turn', START_MS)
})

void t.test('accounts work over several workers in mesh mode', t => accountSuite(t, cluster, WORKERS))
void t.test('bad requests are refused and harm no other request in mesh mode', t => badInputSuite(t, cluster))
void t.test('products work over several workers in mesh mode', t => productSuite(t, cluster, WORKERS))
void t.test('uploads work over several workers in mesh mode', async t => {
  const { token } = await member(cluster.url)
  await cluster.ready()
  await filesComeBack(t, cluster, token)
})
