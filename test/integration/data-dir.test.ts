import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { ask, bearer, jsonOf, signIn } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'

/**
 * The DATA_DIR of version 0.1 after these requests: `alice` registered, put the product `lamp` and uploaded a text.
 * It has Redis files, objects and secrets. The secrets are used by this test only.
 */
const ARCHIVE = 'test/fixtures/data-dir-0.1.tar.gz'

const UPLOAD = '/uploads/cff45acf-207e-4aed-a602-134e7337a708'

void t.test('a DATA_DIR that version 0.1 wrote opens unchanged', async t => {
  const dataDir = join(temporaryFolder(t), 'data')
  execFileSync('sh', ['-c', 'mkdir "$1" && tar -xzf "$0" -C "$1"', ARCHIVE, dataDir])
  const cluster = await Cluster.start(t, { WORKERS: '1', DATA_DIR: dataDir })
  await cluster.ready()

  const { token } = await signIn(cluster.url, { username: 'alice', password: 'correct horse' })
  const account = jsonOf(await ask(cluster.url, '/me', { headers: bearer(token) }))
  t.strictSame(account, { username: 'alice', createdAt: '2026-11-26T20:42:17.867Z' })

  const product = await ask(cluster.url, '/products/lamp')
  t.equal(product.status, 200)
  t.match(jsonOf(product), { id: 'lamp', name: 'A lamp', price: 1_250, updatedAt: '2026-11-26T20:42:18.048Z' })

  const upload = await ask(cluster.url, UPLOAD)
  t.match(upload, { status: 200, text: 'written by the version before\n', headers: { 'content-type': /^text\/plain/ } })
  t.match(await cluster.stop(), { code: 0 })
})
