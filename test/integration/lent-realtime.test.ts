import { io, type Socket } from 'socket.io-client'
import t from 'tap'
import { takeTurns } from '../helpers/chat-client.js'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until, within } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'

const CASES = [
  { what: 'an app that is exported, behind a balancer,', file: 'socket-app.js', BALANCERS: '1' },
  { what: 'an app that listens by itself, in mesh mode,', file: 'socket-app-that-listens.js', BALANCERS: '0' },
]

for (const { what, file, BALANCERS } of CASES) {
  void t.test(`${what} uses the lent Socket.IO server`, async t => {
    const cluster = await Cluster.start(t, { APP: fixture(file), BALANCERS, WORKERS: '2' })
    t.equal((await ask(cluster.url, '/')).text, 'the app')
    t.equal((await ask(cluster.url, '/live/?EIO=4&transport=polling')).headers['x-from-the-app'], 'yes')

    const sockets: Socket[] = []
    const workers = new Set<string | undefined>()
    while (workers.size < 2 || sockets.length < 4) {
      const transports = [sockets.length % 2 === 0 ? 'polling' : 'websocket']
      const socket = io(`${cluster.url}/rooms`, { path: '/live', transports, forceNew: true })
      t.teardown(() => socket.disconnect())
      await until(() => socket.connected, 'a connection', 20_000)
      sockets.push(socket)
      workers.add(socket.io.engine.id.split('.')[0])
      await takeTurns(cluster.url)
    }
    let count: unknown
    for (const socket of sockets) count = await within(socket.emitWithAck('join', 'lobby'), 'joining', 20_000)
    t.equal(count, sockets.length, 'a worker knows who joined at the others')

    const heard = sockets.map(socket => new Promise(resolve => socket.once('told', resolve)))
    sockets[0]!.emit('tell', 'lobby', 'hello')
    for (const told of await within(Promise.all(heard), 'the message to all', 20_000)) t.equal(told, 'hello')
    for (const socket of sockets) t.equal(await socket.emitWithAck('address'), '127.0.0.1')
  })
}
