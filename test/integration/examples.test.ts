import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { io } from 'socket.io-client'
import t, { type Test } from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until, within } from '../helpers/deadline.js'

const folder = fileURLToPath(new URL('../../../examples', import.meta.url))

/** A check of the promise that each example makes. */
const promises: Record<string, (t: Test, cluster: Cluster) => Promise<void>> = {
  'plain-express': async (t, { url }) => {
    t.match(jsonOf(await ask(url, '/')), { hello: '127.0.0.1', secure: false })
  },
  'session-app': async (t, { url }) => {
    const first = await ask(url, '/')
    const cookie = String(first.headers['set-cookie']?.[0]?.split(';')[0])
    for (const yours of [2, 3, 4])
      t.match(jsonOf(await ask(url, '/', { headers: { cookie } })), { yours, total: yours })
  },
  'socket-io-app': async (t, { url }) => {
    const sockets = ['polling', 'websocket'].map(transport => io(url, { transports: [transport], forceNew: true }))
    t.teardown(() => sockets.forEach(socket => socket.disconnect()))
    await until(() => sockets.every(({ connected }) => connected), 'the connections', 20_000)
    const said = new Promise(resolve => sockets[1]!.once('said', resolve))
    sockets[0]!.emit('say', 'hello')
    t.match(await within(said, 'what was said', 20_000), { text: 'hello' })
    t.match(jsonOf(await ask(url, '/')), { connected: 2 })
  },
}

void t.test('every example has a check', t => {
  t.same(Object.keys(promises).sort(), readdirSync(folder).sort())
  t.end()
})

for (const [name, keeps] of Object.entries(promises)) {
  void t.test(`the example ${name} runs unchanged and keeps its promise`, async t => {
    const cluster = await Cluster.start(t, { APP: join(folder, name, 'server.js') })
    await keeps(t, cluster)
    t.match(await cluster.stop(), { code: 0 })
  })
}
