import { cpSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, bearer, jsonOf, member, signIn } from '../helpers/client.js'
import { storageAddressOf } from '../helpers/cluster-storage.js'
import { Cluster } from '../helpers/cluster.js'
import { form, sendForm } from '../helpers/forms.js'
import { temporaryFolder } from '../helpers/harness.js'

const small = form({ name: 'file', filename: 'x', content: 'x' })

void t.test('a copy of DATA_DIR is a backup that can be restored', async t => {
  const first = await Cluster.start(t, { RATE_LIMIT_MAX: '0', WORKERS: '1' })
  await first.ready()
  const person = await member(first.url)
  const content = Buffer.alloc(6 * 1024 ** 2, 'backup')
  const { url } = jsonOf(await sendForm(first.url, form({ name: 'file', filename: 'x', content }), person))
  const product = { name: 'Tea', price: 499 }
  await ask(first.url, '/products/tea', { method: 'PUT', json: product, headers: bearer(person.token) })
  const address = storageAddressOf(first)
  await first.stop()
  const copy = join(temporaryFolder(t), 'restored')
  cpSync(first.dataDir, copy, { recursive: true, filter: path => !/\/(run|lock)$/.test(path) })

  const second = await Cluster.start(t, { DATA_DIR: copy, RATE_LIMIT_MAX: '0', WORKERS: '1' })
  await second.ready()
  const { secretKey } = storageAddressOf(second)
  t.equal(secretKey, address.secretKey, 'the same key')
  t.ok((await ask(second.url, String(url))).body.equals(content))
  t.match(jsonOf(await ask(second.url, '/products/tea')), product)
  t.equal((await ask(second.url, '/me', { headers: bearer(person.token) })).status, 200)
  t.ok((await signIn(second.url, person)).token)
  t.equal((await sendForm(second.url, small, person)).status, 201)
})
