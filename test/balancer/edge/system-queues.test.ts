import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t from 'tap'
import { peerKey, queuesIn, SystemQueues } from '#balancer/edge/system-queues.js'
import { until } from '../../helpers/deadline.js'

void t.test('bytes that have not arrived are read from the tables of the system', t => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   3: 0100007F:B0B1 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 443641 1 0 100 0 0 10 0',
    ' 849: 0100007F:B0B1 0200007F:9F80 01 0039DC00:00000000 04:00000027 00000000     0        0 443643 2 0 20 0 0 15 -1',
    '   1: 0000000000000000FFFF00000100007F:0BB8 0000000000000000FFFF0000070200C0:C001 01 00000010:00000000 01:00000000 00000000     0        0 77 1 0',
    '   2: 00000000000000000000000001000000:0BB8 B80D0120000000000000000001000000:0050 08 000000FF:00000000 01:00000000 00000000     0        0 78 1 0',
    '   9: 0100007F:B0B1 0200007F:9F81 04 00000100:00000000 04:00000027 00000000     0        0 0 3 0 20 0 0 15 -1',
    '  10: 0100007F:B0B1 0200007F:9F82 04 00000100:00000000 04:00000027 00000000     0        0 0 3 0 20 0 0 15 -1',
  ].join('\n')
  t.strictSame(
    [...queuesIn(table).ofConnections],
    [
      [peerKey('127.0.0.2', 0x9f80), 0x39dc00],
      [peerKey('192.0.2.7', 0xc001), 0x10],
      [peerKey('2001:db8::1', 0x50), 0xff],
    ],
  )
  t.strictSame([...queuesIn(table).ofClosed], [['127.0.0.2', 0x200]])
  t.end()
})

void t.test(
  'a connection that is not read has a queue until it is',
  { skip: process.platform !== 'linux' },
  async t => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const system = new SystemQueues()
    const { port } = server.address() as AddressInfo
    const arrival = once(server, 'connection') as Promise<[net.Socket]>
    const client = net.connect(port, '127.0.0.1').pause()
    const [socket] = await arrival
    t.teardown(() => {
      client.destroy()
      socket.destroy()
      server.close()
      system.close()
    })
    const key = peerKey('127.0.0.1', (client.address() as AddressInfo).port)
    const queue = async (): Promise<number> => (await system.queues())?.ofConnections.get(key) ?? 0
    t.equal(await queue(), 0)
    socket.write(Buffer.alloc(16 * 1024 ** 2))
    await until(async () => (await queue()) > 100_000, 'the queue to fill')
    t.ok((system.memory() ?? 0) > 100_000)
    client.resume()
    await until(async () => (await queue()) === 0, 'the queue to be empty')
  },
)
