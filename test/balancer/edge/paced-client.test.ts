import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { PacedClient } from '#balancer/edge/paced-client.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'
import { UPGRADE_HEADERS } from '../../helpers/websocket.js'

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** A client for which each piece takes as long. */
function pacedClient(msOfPiece: number): PacedClient {
  let now = 0
  return new PacedClient(0, () => (now += msOfPiece))
}

async function portOf(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Answers with the hash of the body. */
function answerHash(request: IncomingMessage, response: ServerResponse): void {
  const hash = createHash('sha256')
  request.on('data', (piece: Buffer) => hash.update(piece)).on('end', () => response.end(hash.digest('hex')))
}

async function connectTo(t: Test, port: number): Promise<RawConnection> {
  const client = await RawConnection.open(port)
  t.teardown(() => client.destroy())
  return client
}

for (const ms of [0, 1, 10]) {
  void t.test(`requests on paced connections are read whole and in order, ${ms} ms for each piece`, async t => {
    const client = pacedClient(ms)
    const server = http.createServer(answerHash)
    server.on('connection', (socket: Socket) => client.pace(socket))
    const port = await portOf(t, server)
    const body = randomBytes(1024 ** 2)
    const head = requestBytes('POST /', [`Content-Length: ${body.length}`])
    const connections = await Promise.all(Array.from({ length: 6 }, () => connectTo(t, port)))
    for (const each of connections) {
      each.write(requestBytes('GET /').repeat(20)).write(head).write(body).write(requestBytes('GET /'))
    }
    for (const each of connections) {
      for (let i = 0; i < 22; i += 1) {
        const expected = hashOf(i === 20 ? body : Buffer.alloc(0))
        const answer = await each.response()
        if (answer.body.toString() !== expected) t.fail(`answer ${i} is of another body`)
      }
    }
  })
}

void t.test('a connection that is upgraded is read as it comes', async t => {
  const client = pacedClient(10)
  const server = http.createServer()
  server.on('connection', (socket: Socket) => client.pace(socket))
  server.on('upgrade', (_request, socket: Socket, head) => {
    client.release(socket)
    t.notOk(Object.hasOwn(socket, 'push') || Object.hasOwn(socket, '_read'))
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    socket.write(head)
    socket.pipe(socket)
  })
  const sent = randomBytes(300_000)
  const connection = await connectTo(t, await portOf(t, server))
  connection.write(requestBytes('GET /', UPGRADE_HEADERS)).write(sent)
  t.equal((await connection.response()).status, 101)
  t.equal(hashOf(await connection.bytes(sent.length)), hashOf(sent))
})

void t.test('once the time of a client is spent, its connections go on in turns', async t => {
  const client = pacedClient(4)
  /** The connections that were read from, in their order. */
  const read: number[] = []
  const received: Promise<unknown>[] = []
  const server = net.createServer(socket => {
    const i = received.length
    socket.on('data', () => read.push(i)).on('end', () => socket.end())
    received.push(once(socket, 'close'))
    client.pace(socket)
  })
  const port = await portOf(t, server)
  const senders = Array.from({ length: 4 }, () => net.connect({ port, host: '127.0.0.1' }).resume())
  await Promise.all(senders.map(each => once(each, 'connect')))
  for (const each of senders) each.end(Buffer.alloc(2 * 1024 ** 2))
  await Promise.all(senders.map(each => once(each, 'close')))
  await Promise.all(received)
  const inRow = read.filter((connection, i) => connection === read[i - 1]).length
  t.ok(inRow < read.length / 4, `${inRow} of ${read.length} pieces came on the connection of the one before`)
  t.ok(client.waitedAt > 0)
})

void t.test('a piece that takes as long as several turns costs as many', async t => {
  const clock = new FakeClock(t)
  const client = new PacedClient(0, () => clock.now)
  const spend = (ms: number): void => void client.spend(() => (clock.stall(ms), true))
  spend(20)
  for (let turn = 0; turn < 4; turn += 1) {
    t.equal(client.hasToWait, true)
    clock.advance(4)
  }
  t.equal(client.hasToWait, true)
  clock.advance(4)
  t.equal(client.hasToWait, false)
})

void t.test('a connection of a proxy does not wait for others of it', async t => {
  const client = pacedClient(10)
  const server = http.createServer(answerHash)
  server.on('connection', (socket: Socket) => client.pace(socket, { isProxy: true, isUpgraded: false }))
  const port = await portOf(t, server)
  const body = randomBytes(1024 ** 2)
  const connections = await Promise.all(Array.from({ length: 4 }, () => connectTo(t, port)))
  for (const each of connections) each.write(requestBytes('POST /', [`Content-Length: ${body.length}`])).write(body)
  for (const each of connections) t.equal((await each.response()).body.toString(), hashOf(body))
  t.equal(client.waitedAt, 0)
})

void t.test('line breaks of an upgraded connection are read on', async t => {
  const client = pacedClient(10)
  let received = 0
  const server = net.createServer(socket => {
    client.pace(socket, { isProxy: false, isUpgraded: true })
    socket.on('data', piece => (received += piece.length))
  })
  const connection = await connectTo(t, await portOf(t, server))
  const breaks = '\r\n'.repeat(200_000)
  connection.write(breaks).end()
  await connection.closed
  t.equal(received, breaks.length)
})

void t.test('a connection that closes while it waits is forgotten', async t => {
  const client = pacedClient(4)
  const server = http.createServer((_request, response) => response.end())
  server.on('connection', (socket: Socket) => {
    client.pace(socket)
    socket.once('close', () => client.left(socket))
  })
  const port = await portOf(t, server)
  const [gone, other] = [await connectTo(t, port), await connectTo(t, port)]
  t.equal((await gone.write(requestBytes('GET /') + '\r\n'.repeat(100_000)).response()).status, 200)
  gone.reset()
  t.equal((await other.write(requestBytes('GET /')).response()).status, 200)
  client.end()
  t.equal((await other.write(requestBytes('GET /')).response()).status, 200)
})

void t.test('a connection that brings only line breaks is read no further, and those of requests are', async t => {
  const client = pacedClient(0)
  const sockets: Socket[] = []
  const server = http.createServer(answerHash)
  server.on('connection', (socket: Socket) => {
    client.pace(socket)
    sockets.push(socket)
  })
  const port = await portOf(t, server)
  const flooding = await connectTo(t, port)
  const breaks = '\r\n'.repeat(2 * 1024 ** 2)
  await flooding.write(requestBytes('GET /')).response()
  flooding.write(breaks)
  const body = Buffer.from(breaks)
  const other = await connectTo(t, port)
  other
    .write('\r\n')
    .write(requestBytes('POST /', [`Content-Length: ${body.length}`]))
    .write(body)
  t.equal((await other.response()).body.toString(), hashOf(body), 'a body may consist of them')
  const [flooded] = sockets
  t.ok(flooded !== undefined && flooded.bytesRead < 1024 ** 2, `${flooded?.bytesRead} bytes were read`)
})
