import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Balancer, type BalancerOptions } from '#balancer'
import { until, within } from '../../helpers/deadline.js'
import { FakeTarget } from '../../helpers/fake-target.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'
import { acceptUpgrade, UPGRADE_HEADERS } from '../../helpers/websocket.js'

const GET = requestBytes('GET /page')

/** A balancer that never listens: another server accepts its connections, as in mesh mode. */
async function adopting(
  t: Test,
  target: FakeTarget,
  options: Partial<BalancerOptions> = {},
): Promise<{ balancer: Balancer; connect: (from?: string) => Promise<RawConnection> }> {
  const balancer = new Balancer({ joinIntervalMs: 5, ...options })
  balancer.setTargets([target.spec])
  const acceptor = net.createServer({ allowHalfOpen: true }, socket => balancer.adopt(socket)).listen(0, '127.0.0.1')
  await once(acceptor, 'listening')
  t.teardown(() => acceptor.close())
  t.teardown(() => balancer.stop(0))
  const connect = async (from?: string): Promise<RawConnection> => {
    const client = await RawConnection.open((acceptor.address() as AddressInfo).port, from)
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
    const target = await FakeTarget.start(t, 'a', request => void request.resume())
    const { connect } = await adopting(t, target, { maxSockets: 3 })
    for (let i = 0; i < 3; i += 1) (await connect()).write(GET)
    await until(() => target.requests.length === 3, 'all requests to arrive')
    const others = await Promise.all(Array.from({ length: 150 }, () => connect()))
    await within(Promise.all(others.map(({ closed }) => closed)), 'the others to be closed')
    const told = others.filter(({ unread }) => unread.toString().startsWith('HTTP/1.1 503 '))
    t.ok(told.length >= 100)
    t.equal(target.requests.length, 3)
  },
)

void t.test('idle connections of a client over its share are closed when others come, the oldest first', async t => {
  const target = await FakeTarget.start(t, 'a')
  const { balancer, connect } = await adopting(t, target, { maxSockets: 10 })
  const hog: RawConnection[] = []
  for (let i = 0; i < 8; i += 1) {
    hog.push(await connect())
    await until(() => balancer.connections === Math.min(5, i + 1), 'it to be adopted')
  }
  for (const { closed } of hog.slice(0, 3)) t.equal(await within(closed, 'the oldest to be closed'), 'end')
  t.equal((await hog[7]!.write(GET).response()).status, 200, 'the newest is served')
  const others: RawConnection[] = []
  for (let i = 0; i < 3; i += 1) {
    const other = await connect('127.0.0.2')
    t.equal((await other.write(GET).response()).status, 200)
    others.push(other)
  }
  // Each of both has as many as are free.
  await until(() => balancer.connections === 7, 'the first client to lose some')
  for (const other of others) t.equal((await other.write(GET).response()).status, 200, 'the other keeps its own')
})

void t.test('a connection that is in use is not closed for its client’s share', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    target.server.once('release', () => response.end('released'))
  })
  const { connect } = await adopting(t, target, { maxSockets: 6 })
  const busy = await connect()
  busy.write(GET)
  await until(() => target.requests.length === 1, 'the request to arrive')
  const idle = await Promise.all(Array.from({ length: 8 }, () => connect()))
  await within(Promise.race(idle.map(({ closed }) => closed)), 'an idle one to be closed')
  target.server.emit('release')
  t.equal((await busy.response()).status, 200)
})

/** With each, how a client connects that is the nth. */
const TRUST: Record<
  string,
  { trustProxy: BalancerOptions['trustProxy']; from: (n: number) => string; names: boolean }
> = {
  'TRUST_PROXY=0': { trustProxy: 0, from: n => `127.0.0.${n}`, names: false },
  'TRUST_PROXY=1 and no proxy': { trustProxy: 1, from: n => `127.0.0.${n}`, names: false },
  'TRUST_PROXY=1 and a proxy': { trustProxy: 1, from: () => '127.0.0.1', names: true },
  'the address of a proxy': { trustProxy: ['127.0.0.1'], from: () => '127.0.0.1', names: true },
}

const USES = { streams: requestBytes('GET /page'), upgrades: requestBytes('GET /page', UPGRADE_HEADERS) }

/** A target whose page never ends, and that takes every upgrade. */
function streaming(t: Test): Promise<FakeTarget> {
  return FakeTarget.start(
    t,
    'a',
    ({ url }, response) => {
      if (url === '/page') response.write('a stream')
      else response.end('served')
    },
    { onUpgrade: acceptUpgrade },
  )
}

for (const [trust, { trustProxy, from, names }] of Object.entries(TRUST)) {
  const by = (n: number, bytes: string): string =>
    names ? bytes.replace('\r\n', `\r\nX-Forwarded-For: 192.0.2.${n}\r\n`) : bytes

  for (const [use, bytes] of Object.entries(USES)) {
    void t.test(`when ${use} of others are on all connections, a new client is served, with ${trust}`, async t => {
      const { balancer, connect } = await adopting(t, await streaming(t), { maxSockets: 24, trustProxy })
      const taken: RawConnection[] = []
      // One client after the other gets as much as it leaves free.
      for (const [n, share] of Object.entries({ 2: 12, 3: 6, 4: 4, 5: 2 })) {
        for (let i = 0; i < share; i += 1) {
          const client = (await connect(from(Number(n)))).write(by(Number(n), bytes))
          await until(() => client.unread.length > 0, 'an answer')
          t.notOk(client.unread.includes('HTTP/1.1 503'))
          taken.push(client)
        }
      }
      t.equal(balancer.connections, 24, 'nothing is left')
      const other = await connect(from(9))
      t.equal((await other.write(by(9, requestBytes('GET /other'))).response()).status, 200)
      const lost = (): number[] => taken.flatMap(({ ended }, i) => (ended ? [i] : []))
      await until(() => lost().length > 0, 'a client to lose a connection')
      t.ok(lost().length === 1 && lost()[0]! < 12, 'the client with most has lost one')
      t.equal(
        (await other.write(by(9, requestBytes('GET /other'))).response()).status,
        200,
        'the new one keeps its own',
      )
    })
  }

  if (names) {
    void t.test(`a client behind a proxy gets half of the connections at most, with ${trust}`, async t => {
      const { balancer, connect } = await adopting(t, await streaming(t), { maxSockets: 24, trustProxy })
      const answers: number[] = []
      for (let i = 0; i < 14; i += 1) {
        const client = (await connect()).write(by(2, GET))
        await until(() => client.unread.length > 0, 'an answer')
        answers.push(Number(/^HTTP\/1\.1 (\d+)/.exec(client.unread.toString())?.[1]))
      }
      t.strictSame(answers, [...Array<number>(12).fill(200), 503, 503])
      t.equal((await (await connect()).write(by(3, requestBytes('GET /other'))).response()).status, 200)
      await until(() => balancer.connections === 13, 'those that were refused to be closed')
    })
  }
}

void t.test('a connection of a proxy counts for its client until the answer is over', async t => {
  const { connect } = await adopting(t, await streaming(t), { maxSockets: 16, trustProxy: 1 })
  const page = requestBytes('GET /other', ['X-Forwarded-For: 192.0.2.1'])
  const proxy = await Promise.all(Array.from({ length: 12 }, () => connect()))
  for (let i = 0; i < 3; i += 1) for (const client of proxy) t.equal((await client.write(page).response()).status, 200)
})

void t.test('a connection whose request may have been carried out is the last to be cut', async t => {
  const target = await FakeTarget.start(t, 'a', request => void request.resume())
  const { balancer, connect } = await adopting(t, target, { maxSockets: 12 })
  const open = async (from: number, method: string): Promise<RawConnection> => {
    const arrived = target.requests.length
    const client = (await connect(`127.0.0.${from}`)).write(requestBytes(`${method} /page`))
    await until(() => target.requests.length > arrived, 'the request to arrive')
    return client
  }
  const hog: RawConnection[] = []
  for (const method of ['POST', 'PUT', 'GET', 'PATCH', 'DELETE', 'HEAD']) hog.push(await open(2, method))
  for (const from of [3, 3, 3, 4, 4, 4]) await open(from, 'GET')
  t.equal(balancer.connections, 12, 'nothing is left')
  await open(8, 'GET')
  await open(9, 'GET')
  for (const cut of [2, 5]) t.equal(await within(hog[cut]!.closed, 'it to be cut'), 'reset')
  t.strictSame(
    hog.map(({ ended }) => ended),
    [false, false, true, false, false, true],
  )
})

void t.test('a client with little keeps what it streams when nothing is left', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => void response.write('a stream'))
  const { balancer, connect } = await adopting(t, target, { maxSockets: 8 })
  for (const from of ['127.0.0.2', '127.0.0.3']) {
    for (let i = 0; i < 4; i += 1) {
      const client = (await connect(from)).write(GET)
      await until(() => client.unread.length > 0, 'an answer')
    }
  }
  t.equal(balancer.connections, 8)
  t.equal((await (await connect('127.0.0.9')).response()).status, 503)
  t.equal(balancer.connections, 8)
})

void t.test('the connections of a trusted proxy are not limited by a share', async t => {
  const target = await FakeTarget.start(t, 'a')
  const { balancer, connect } = await adopting(t, target, { maxSockets: 4, trustProxy: 1 })
  const proxy = await Promise.all(Array.from({ length: 4 }, () => connect()))
  for (const client of proxy) t.equal((await client.write(GET).response()).status, 200)
  t.equal(balancer.connections, 4)
  const other = await connect('127.0.0.2')
  t.equal((await other.write(GET).response()).status, 200, 'an idle one gives way when nothing is left')
  t.equal(balancer.connections, 4)
})

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
