import { cpSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, bearer, jsonOf, member, signIn } from '../helpers/client.js'
import { storageAddressOf } from '../helpers/cluster-storage.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fetchBytes, form, sendForm } from '../helpers/forms.js'
import { temporaryFolder } from '../helpers/harness.js'

const small = form({ name: 'file', filename: 'x', content: 'x' })

function ready(base: string): Promise<void> {
  return until(async () => (await ask(base, '/health/ready')).status === 200, 'all to be ready', 20_000)
}

void t.test('a copy of DATA_DIR is a backup: what was there is there again', async t => {
  const first = await Cluster.start(t, { RATE_LIMIT_MAX: '0', WORKERS: '1' })
  await ready(first.url)
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
  await ready(second.url)
  t.strictSame(storageAddressOf(second), address, 'the same port and keys')
  t.ok((await fetchBytes(second.url, String(url))).bytes.equals(content))
  t.match(jsonOf(await ask(second.url, '/products/tea')), product)
  t.equal((await ask(second.url, '/me', { headers: bearer(person.token) })).status, 200)
  t.ok((await signIn(second.url, person)).token)
  t.equal((await sendForm(second.url, small, person)).status, 201)
})
