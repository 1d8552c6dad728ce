import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { BalancerOptions } from '#balancer'
import { sendRest } from '#balancer/transports/late-body.js'
import { until } from '../../helpers/deadline.js'
import { FakeTarget, type TargetHandler } from '../../helpers/fake-target.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'

const SIZE = 3_000_000
const FIRST = 100_000
const GET = requestBytes('GET /')

interface Early {
  target: FakeTarget
  /** The connection with the body has been closed. */
  isClosed: () => boolean
  running: RunningBalancer
  client: RawConnection
}

/** A client that has the answer to its upload before it has sent more than the beginning. */
async function answeredEarly(
  t: Test,
  begin: (request: IncomingMessage, accept: () => void) => void,
  options: Partial<BalancerOptions> = {},
): Promise<Early> {
  let isClosed = false
  const handler: TargetHandler = (request, response) => {
    if (request.method === 'POST') request.socket.once('close', () => (isClosed = true))
    begin(request, () => void response.writeHead(202).end('accepted'))
  }
  const target = await FakeTarget.start(t, 'a', handler)
  const running = await RunningBalancer.start(t, [target], options)
  const client = await running.connect()
  client.write(requestBytes('POST /upload', [`Content-Length: ${SIZE}`]) + 'x'.repeat(FIRST))
  t.equal((await client.response()).status, 202)
  return { target, isClosed: () => isClosed, running, client }
}

function acceptAndRead(request: IncomingMessage, accept: () => void): void {
  accept()
  request.resume()
}

void t.test('an app that accepts a request and reads its body after that gets the whole body', async t => {
  const { target, running, client } = await answeredEarly(t, acceptAndRead)
  for (let sent = FIRST; sent < SIZE; sent += 100_000) client.write('x'.repeat(100_000))
  await until(() => target.requests[0]?.complete === true, 'the rest of the body')
  t.equal(target.requests[0]?.body.length, SIZE)
  t.equal((await client.write(GET).response()).status, 202, 'the next request is found')
  t.equal(target.connections, 2, 'over a connection of its own, as requests without a body have')
  await running.quiet(1)
})

void t.test('an app that accepts a request and reads its chunked body after that gets the whole body', async t => {
  const target = await FakeTarget.start(t, 'a', (request, response) => {
    acceptAndRead(request, () => void response.writeHead(202).end('accepted'))
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  const chunk = `186a0\r\n${'x'.repeat(100_000)}\r\n`
  client.write(requestBytes('POST /upload', ['Transfer-Encoding: chunked']) + chunk)
  t.equal((await client.response()).status, 202)
  for (let sent = 1; sent < 30; sent += 1) client.write(chunk)
  client.write('0\r\n\r\n')
  await until(() => target.requests[0]?.complete === true, 'the rest of the body')
  t.equal(target.requests[0]?.body.length, SIZE)
  await running.quiet(1)
})

void t.test('the part of a body that an app does not read is dropped, and the next request is found', async t => {
  const { target, running, client } = await answeredEarly(t, (request, accept) => {
    if (request.method === 'GET') accept()
    request.once('data', () => {
      request.pause()
      accept()
    })
  })
  for (let sent = FIRST; sent < SIZE; sent += 100_000) client.write('x'.repeat(100_000))
  t.equal((await client.write(GET).response()).status, 202, 'the next request is found')
  t.notOk(target.requests[0]?.complete)
  await running.quiet(1)
})

void t.test('an app that reads on learns that its client has left', async t => {
  const { target, isClosed, running, client } = await answeredEarly(t, acceptAndRead)
  client.destroy()
  await until(isClosed, 'the connection with the body to be closed')
  t.notOk(target.requests[0]?.complete)
  await running.quiet()
})

void t.test('a target that ends in the middle of the rest costs the client nothing', async t => {
  const { target, running, client } = await answeredEarly(t, acceptAndRead)
  target.cutConnections()
  for (let sent = FIRST; sent < SIZE; sent += 100_000) client.write('x'.repeat(100_000))
  t.equal((await client.write(GET).response()).status, 202)
  await running.quiet(1)
})

void t.test('a client that stops sending the rest is cut, and so is one that drips it', async t => {
  for (const dripMs of [undefined, 20]) {
    const { isClosed, running, client } = await answeredEarly(t, acceptAndRead, {
      bodyIdleMs: 100,
      minBytesPerSecond: 1_000,
    })
    const drip = dripMs !== undefined && setInterval(() => client.write('x'), dripMs)
    t.teardown(() => clearInterval(drip || undefined))
    await client.closed
    await until(isClosed, 'the connection with the body to be closed')
    await running.quiet()
  }
})

void t.test('the rest of a body is dropped if its target had closed before', async t => {
  const server = http.createServer((request, response) => {
    if (request.method === 'GET') return void response.end('next')
    const outgoing = http.request({ port: 1, host: '127.0.0.1', method: 'POST' })
    outgoing
      .on('error', () => undefined)
      .on('close', () => {
        sendRest(request, outgoing, { bodyIdleMs: 60_000, upstreamTimeoutMs: 60_000, minBytesPerSecond: 0 })
        response.writeHead(202).end()
      })
    request.pipe(outgoing)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = await RawConnection.open((server.address() as AddressInfo).port)
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  client.write(requestBytes('POST /upload', [`Content-Length: ${SIZE}`]) + 'x'.repeat(FIRST))
  t.equal((await client.response()).status, 202)
  for (let sent = FIRST; sent < SIZE; sent += 100_000) client.write('x'.repeat(100_000))
  t.equal((await client.write(GET).response()).body.toString(), 'next')
})
