import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { accountSuite } from '../integration/suites/accounts.js'
import { productSuite } from '../integration/suites/products.js'
import { MAX_BYTES, uploadSuite } from '../integration/suites/uploads.js'

const WORKERS = 2
const env = { WORKERS: String(WORKERS), RATE_LIMIT_MAX: '0', UPLOAD_MAX_BYTES: String(MAX_BYTES) }

// Each in the other mode is in the suite.
void t.test('accounts and products work over several workers behind a balancer', async t => {
  const cluster = await Cluster.start(t, env)
  await accountSuite(t, cluster, WORKERS)
  await productSuite(t, cluster, WORKERS)
})

void t.test('uploads work over several workers in mesh mode', async t => {
  const cluster = await Cluster.start(t, { ...env, BALANCERS: '0' })
  await uploadSuite(t, cluster, WORKERS)
})
