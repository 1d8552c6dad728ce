import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Balancer, type BalancerOptions } from '#balancer'
import { until, within } from '../../helpers/deadline.js'
import { FakeTarget } from '../../helpers/fake-target.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'

const GET = requestBytes('GET /page')

/** A balancer that never listens: another server accepts its connections, as in mesh mode. */
async function adopting(
  t: Test,
  target: FakeTarget,
  options: Partial<BalancerOptions> = {},
): Promise<{ balancer: Balancer; connect: () => Promise<RawConnection> }> {
  const balancer = new Balancer({ joinIntervalMs: 5, ...options })
  balancer.setTargets([target.spec])
  const acceptor = net.createServer({ allowHalfOpen: true }, socket => balancer.adopt(socket)).listen(0, '127.0.0.1')
  await once(acceptor, 'listening')
  t.teardown(() => acceptor.close())
  t.teardown(() => balancer.stop(0))
  const connect = async (): Promise<RawConnection> => {
    const client = await RawConnection.open((acceptor.address() as AddressInfo).port)
    t.teardown(() => client.destroy())
    return client
  }
  return { balancer, connect }
}

void t.test('adopted connections are served until their requests in flight end', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    target.server.once('release', () => response.end('served'))
  })
  const { balancer, connect } = await adopting(t, target)
  const client = await connect()
  client.write(GET)
  await until(() => target.requests.length === 1, 'the request to arrive')
  t.equal(balancer.connections, 1)
  const stopped = balancer.stop(5_000)
  target.server.emit('release')
  t.match(await client.response(), { status: 200, body: Buffer.from('served'), headers: { connection: 'close' } })
  await stopped
  t.equal(balancer.connections, 0)
})

void t.test('a stop closes idle and silent connections at once', async t => {
  const target = await FakeTarget.start(t, 'a')
  const { balancer, connect } = await adopting(t, target)
  const [idle, mute] = [await connect(), await connect()]
  t.equal((await idle.write(GET).response()).status, 200)
  await until(() => balancer.connections === 2, 'both connections to arrive')
  await within(balancer.stop(60_000), 'the stop')
  for (const client of [idle, mute]) await within(client.closed, 'the connection to be closed')
})

void t.test(
  'adopted connections beyond `maxSockets` are answered 503, and some are cut if there are very many',
  async t => {
    const target = await FakeTarget.start(t, 'a')
    const { connect } = await adopting(t, target, { maxSockets: 2 })
    for (const client of [await connect(), await connect()]) t.equal((await client.write(GET).response()).status, 200)
    const others = await Promise.all(Array.from({ length: 150 }, connect))
    await within(Promise.all(others.map(({ closed }) => closed)), 'the others to be closed')
    const told = others.filter(({ unread }) => unread.toString().startsWith('HTTP/1.1 503 '))
    t.ok(told.length >= 100)
    t.equal(target.requests.length, 2)
  },
)

void t.test('overdue headers on adopted connections are answered 408', async t => {
  const target = await FakeTarget.start(t, 'a')
  const { connect } = await adopting(t, target, { headersTimeoutMs: 100 })
  const [idle, half, mute] = [await connect(), await connect(), await connect()]
  t.equal((await idle.write(GET).response()).status, 200)
  half.write('GET / HTTP/1.1\r\nHost')
  for (const client of [half, mute]) {
    t.match(await client.response(), { status: 408, headers: { connection: 'close' } })
    t.equal(await within(client.closed, 'the connection to be closed'), 'end')
  }
  t.equal((await idle.write(GET).response()).status, 200, 'the limit does not apply between two requests')
})
