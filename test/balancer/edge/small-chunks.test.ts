import type { IncomingMessage, ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { ChunkRate } from '#balancer/ledger/chunk-rate.js'
import { within } from '../../helpers/deadline.js'
import { FakeTarget } from '../../helpers/fake-target.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'

const CHUNKED = requestBytes('POST /', ['Transfer-Encoding: chunked'])
const END = '0\r\n\r\n'
const chunksOf = (bytes: string, size: number): string =>
  [...bytes.matchAll(new RegExp(`.{1,${size}}`, 'gs'))]
    .map(([piece]) => `${piece.length.toString(16)}\r\n${piece}\r\n`)
    .join('')

interface Received {
  body: string
  pieces: number
}

/** An app that records in how many pieces a body comes. */
class Recorder {
  readonly received: Received[] = []

  readonly handleRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const one: Received = { body: '', pieces: 0 }
    this.received.push(one)
    request.on('data', (piece: Buffer) => {
      one.pieces += 1
      one.body += piece.toString('latin1')
    })
    request.on('end', () => response.end(JSON.stringify(request.trailers)))
  }
}

const settings = {
  'behind a socket': async (t: Test, app: Recorder): Promise<RunningBalancer> =>
    RunningBalancer.start(t, [await FakeTarget.start(t, 'a', app.handleRequest)]),
  'in the same process': async (t: Test, app: Recorder): Promise<RunningBalancer> => {
    const running = await RunningBalancer.start(t)
    running.balancer.setLocal('a', {
      handleRequest: app.handleRequest,
      upgrades: () => false,
      handleUpgrade: () => undefined,
    })
    return running
  },
}

for (const [where, start] of Object.entries(settings)) {
  void t.test(`small chunks that come together reach the app together and whole, ${where}`, async t => {
    const app = new Recorder()
    const running = await start(t, app)
    const body = Array.from({ length: 20_000 }, (_, i) => String(i % 10)).join('')
    const client = await running.connect()
    client.write(CHUNKED + chunksOf(body, 1) + chunksOf('x'.repeat(5_000), 2_000) + chunksOf('the end', 2))
    const answer = await client.write('0\r\nx-last: 1\r\n\r\n').response()
    t.match(answer, { status: 200, body: Buffer.from('{"x-last":"1"}') })
    const [{ body: got, pieces } = { body: '', pieces: Infinity }] = app.received
    t.ok(got === `${body}${'x'.repeat(5_000)}the end`, 'in order')
    t.ok(pieces < 200, `${pieces} pieces`)
    t.equal((await client.write(CHUNKED + chunksOf('more', 4) + END).response()).status, 200, 'the connection is kept')
  })

  void t.test(`a client that sends very many chunks of a byte is cut, and others are not, ${where}`, async t => {
    const running = await start(t, new Recorder())
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(running.port, '127.0.0.2')))
    t.teardown(() => clients.forEach(each => each.destroy()))
    const flood = chunksOf('x'.repeat(30_000), 1)
    for (const client of clients) client.write(CHUNKED + flood)
    await within(Promise.race(clients.map(({ closed }) => closed)), 'one to be cut')
    const other = await running.connect()
    t.equal((await other.write(CHUNKED + chunksOf('abc', 1) + END).response()).status, 200)
  })
}

void t.test('a client may send as many chunks of a few bytes in each second', t => {
  let reached = 0
  let now = 0
  const rate = new ChunkRate(() => (reached += 1))
  const send = (count: number): boolean[] => Array.from({ length: count }, () => rate.take(() => now))
  send(40_000)
  t.ok(send(20_000).every(Boolean))
  t.equal(send(20_000).every(Boolean), false)
  t.ok(reached > 0)
  now += 1_000
  t.ok(send(30_000).every(Boolean))
  t.end()
})
