import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, bearer, jsonOf, member, signIn } from '../helpers/client.js'
import { StorageView, storageAddressOf } from '../helpers/cluster-storage.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { form, sendForm } from '../helpers/forms.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'

const env = { RATE_LIMIT_MAX: '0', WORKERS: '1' }
const file = (content: Buffer | string) => form({ name: 'file', filename: 'x', content })

void t.test('an account may upload as much as UPLOAD_QUOTA_BYTES, and more after a delete', async t => {
  const cluster = await Cluster.start(t, { ...env, UPLOAD_QUOTA_BYTES: '10M' })
  const { url } = cluster
  const [alice, bob] = [await member(url), await member(url)]
  const most = await sendForm(url, file(Buffer.alloc(6 << 20)), alice)
  t.equal(most.status, 201)
  for (const size of [6 << 20, (4 << 20) + 1]) {
    t.match(jsonOf(await sendForm(url, file(Buffer.alloc(size)), alice)), { status: 507, code: 'QUOTA_REACHED' })
  }
  t.equal((await sendForm(url, file(Buffer.alloc(4 << 20)), alice)).status, 201, 'to the byte')
  t.equal((await sendForm(url, file('x'), alice)).status, 507)
  t.equal((await sendForm(url, file('x'), bob)).status, 201, 'another account has its own')
  const path = String(jsonOf(most)['url'])
  t.equal((await ask(url, path, { method: 'DELETE', headers: bearer(alice.token) })).status, 204)
  const again = await sendForm(url, file(Buffer.alloc(6 << 20)), alice)
  t.equal(again.status, 201)
  const gone = String(jsonOf(again)['url'])
  await new StorageView(t, storageAddressOf(cluster)).storage.remove(gone.slice(1))
  t.equal((await ask(url, gone, { method: 'DELETE', headers: bearer(alice.token) })).status, 404)
  t.equal((await sendForm(url, file(Buffer.alloc(6 << 20)), alice)).status, 201, 'a file that is gone does not count')
})

void t.test('with less free space than MIN_FREE_BYTES, uploads are 507 and all else works', async t => {
  const roomy = await Cluster.start(t, env)
  await roomy.ready()
  const alice = await member(roomy.url)
  const stored = jsonOf(await sendForm(roomy.url, file('to be deleted'), alice))
  await roomy.stop()

  const { url, dataDir } = await Cluster.start(t, { ...env, DATA_DIR: roomy.dataDir, MIN_FREE_BYTES: '999999G' })
  t.equal(dataDir, roomy.dataDir)
  for (const size of [1, 12 << 20]) {
    t.match(jsonOf(await sendForm(url, file(Buffer.alloc(size)), alice)), { status: 507, code: 'STORAGE_FULL' })
  }
  const product = { method: 'PUT', json: { name: 'Tea', price: 1 }, headers: bearer(alice.token) }
  t.match(jsonOf(await ask(url, '/products/tea', product)), { status: 507, code: 'STORAGE_FULL' })
  t.equal((await ask(url, '/products/tea')).status, 404)
  const path = String(stored['url'])
  t.equal((await ask(url, path)).text, 'to be deleted')
  t.equal((await ask(url, path, { method: 'DELETE', headers: bearer(alice.token) })).status, 204)
  t.equal((await ask(url, path)).status, 404)
  t.ok((await signIn(url, alice)).token, 'Redis takes writes')
  t.equal((await ask(url, '/health/ready')).status, 200)
})

void t.test('with less free space than MIN_FREE_BYTES no release is installed, and the app keeps serving', async t => {
  const APP = folderOf(t, appThatSays('one'))
  const cluster = await Cluster.start(t, { APP, EMBED: 'none', WORKERS: '1', MIN_FREE_BYTES: '999999G' })
  t.match(await failureOf(deploy(t, cluster, appThatSays('two'))), {
    code: 'INSTALL_FAILED',
    message: /not installed: less than \d+ MiB of the disk are free \(MIN_FREE_BYTES\)/,
  })
  t.strictSame(await (await ControlClient.of(cluster.dataDir)).releases().then(all => all.map(({ id }) => id)), [
    'start',
  ])
  t.equal((await ask(cluster.url, '/')).text, 'one')
})
