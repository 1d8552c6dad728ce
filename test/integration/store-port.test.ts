import { once } from 'node:events'
import { existsSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ask, member } from '../helpers/client.js'
import { StorageView, storageAddressOf } from '../helpers/cluster-storage.js'
import { Cluster } from '../helpers/cluster.js'
import { form, sendForm } from '../helpers/forms.js'
import { freePort } from '#scripts/lib/free-port.js'

const small = form({ name: 'file', filename: 'x', content: 'x' })

void t.test('the store of the built-in app has no port, and takes uploads', async t => {
  // Without a minio of this machine: that one has a port.
  const cluster = await Cluster.start(t, { WORKERS: '1', STORE_PORT: 'off' })
  await cluster.ready()
  t.equal((await sendForm(cluster.url, small, await member(cluster.url))).status, 201)
  t.notOk(existsSync(join(cluster.dataDir, 'store-port')))
  t.match(await cluster.stop(), { code: 0 })
})

void t.test('a store that is down leaves its port to nobody, and serves waiting clients when it is back', async t => {
  const port = await freePort()
  const cluster = await Cluster.start(t, { WORKERS: '1', STORE_PORT: String(port) })
  await cluster.ready()
  const [pid] = cluster.pids('store')
  if (pid === undefined) return t.comment('this machine has a minio, which binds its port itself')
  process.kill(pid, 'SIGKILL')
  const thief = net.createServer().listen(port, '127.0.0.1')
  const [error] = (await once(thief, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'EADDRINUSE')
  const { socketPath, ...address } = storageAddressOf(cluster)
  t.ok(socketPath)
  const view = new StorageView(t, { ...address, endpoint: `http://127.0.0.1:${port}` })
  await cluster.has('store', 1, [pid])
  await cluster.ready()
  t.strictSame(await view.keys(), [])
  t.equal((await sendForm(cluster.url, small, await member(cluster.url))).status, 201)
  t.equal((await view.keys()).length, 1)
  t.equal((await ask(cluster.url, '/health/ready')).status, 200)
  t.match(await cluster.stop(), { code: 0 })
})
