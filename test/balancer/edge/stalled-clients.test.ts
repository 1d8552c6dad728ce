import { once } from 'node:events'
import t, { type Test } from 'tap'
import { until } from '../../helpers/deadline.js'
import { FakeTarget, socketPathFor } from '../../helpers/fake-target.js'
import { requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../../helpers/websocket.js'

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const LARGE = Buffer.alloc(32 * 1024 ** 2)

/** A balancer whose target sends a large answer to requests and to upgrades. */
async function started(t: Test, clientStallMs: number): Promise<{ target: FakeTarget; running: RunningBalancer }> {
  const target = await FakeTarget.start(t, 'a', (_request, response) => void response.end(LARGE), {
    onUpgrade: (_request, socket) => {
      socket.on('error', () => undefined).write(SWITCH)
      socket.write(LARGE)
    },
  })
  return { target, running: await RunningBalancer.start(t, [target], { clientStallMs }) }
}

function taken({ balancer }: RunningBalancer): number {
  const { inFlight, upgraded } = balancer.ledger()
  return inFlight + upgraded
}

void t.test('a client that reads nothing of its answer loses its place', async t => {
  const { target, running } = await started(t, 200)
  for (const headers of [[], UPGRADE_HEADERS]) {
    const client = await running.connect()
    client.socket.pause()
    client.write(requestBytes('GET /', headers))
    await until(() => taken(running) === 1, 'the request to take its place')
    await running.quiet()
    await until(() => target.open === 0, 'the connection to the target to be cut')
    client.destroy()
  }
})

void t.test('a stalled client of a local app is cut, even if the app goes on writing', async t => {
  const running = await RunningBalancer.start(t, [], { clientStallMs: 200 })
  let closed = false
  running.balancer.setLocal('self', {
    handleRequest(_request, response) {
      response.write(LARGE)
      const more = setInterval(() => response.write('a little more'), 10)
      response.once('close', () => {
        closed = true
        clearInterval(more)
      })
    },
    upgrades: () => false,
    handleUpgrade: () => undefined,
  })
  const client = await running.connect()
  client.socket.pause()
  client.write(requestBytes('GET /'))
  await until(() => closed, 'the end of the response')
  await running.quiet()
})

async function readSlowly(t: Test, running: RunningBalancer): Promise<void> {
  const client = await running.connect()
  let bytes = 0
  client.socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    client.socket.pause()
    setTimeout(() => client.socket.resume(), 2)
  })
  client.write(requestBytes('GET /', ['Connection: close']))
  await once(client.socket, 'end')
  t.ok(bytes > LARGE.length, `${bytes} bytes`)
  client.destroy()
  await running.quiet()
}

void t.test('a slow client gets the whole answer', async t => {
  await readSlowly(t, (await started(t, 400)).running)
})

void t.test('a slow client gets an answer that a local app wrote in one piece', async t => {
  const running = await RunningBalancer.start(t, [], { clientStallMs: 400 })
  running.balancer.setLocal('self', {
    handleRequest: (_request, response) => void response.end(LARGE),
    upgrades: () => false,
    handleUpgrade: () => undefined,
  })
  await readSlowly(t, running)
})

void t.test('a client that reads at less than the lowest rate is cut', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => void response.end(LARGE))
  const options = { clientStallMs: 400, minBytesPerSecond: 20 * 1024 ** 2 }
  // A unix socket, whose buffers do not grow.
  const running = await RunningBalancer.start(t, [target], options, socketPathFor(t, 'edge'))
  const client = await running.connect()
  let pieces = 0
  client.socket.on('data', () => {
    pieces += 1
    client.socket.pause()
    setTimeout(() => client.socket.resume(), 20)
  })
  client.write(requestBytes('GET /'))
  await client.closed
  t.ok(pieces > 2, `it has read ${pieces} pieces`)
  await running.quiet()
})

void t.test('a client that has read everything may wait for more', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.write('first ')
    setTimeout(() => response.end('last'), 500)
  })
  const running = await RunningBalancer.start(t, [target], { clientStallMs: 100 })
  const client = await running.connect()
  const { body, whole } = await client.write(requestBytes('GET /')).response()
  t.ok(whole)
  t.equal(body.toString(), 'first last')
})
