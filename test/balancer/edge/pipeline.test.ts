import { EventEmitter, once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t from 'tap'
import { Pipeline } from '#balancer/edge/pipeline.js'
import { ClientLedger } from '#balancer/ledger/client-ledger.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'

const CLIENT = '192.0.2.1'

function ledgerOf(parsedBytes: number): ClientLedger {
  const some = (): number => 100
  return new ClientLedger({
    connections: some,
    places: some,
    polls: some,
    parsedBytes: () => parsedBytes,
    heldBytes: some,
  })
}

/** A connection that the test closes. */
class FakeSocket extends EventEmitter {
  destroyed = false

  pause(): void {}

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

/** A pipeline, and requests of clients that wait in it. */
function waiting(parsedBytes: number): {
  pipeline: Pipeline
  wait: (socket: FakeSocket, client?: string) => void
  heldBy: (client: string) => number
} {
  const pipeline = new Pipeline(64 * 1024)
  const ledger = ledgerOf(parsedBytes)
  const wait = (socket: FakeSocket, client = CLIENT): void => {
    const request = { socket, rawHeaders: [], url: '/' } as unknown as IncomingMessage
    const response = new EventEmitter() as ServerResponse
    pipeline.enter(request, response, ledger.accountOf(client), () => undefined)
  }
  return { pipeline, wait, heldBy: client => ledger.accountOf(client).parsedBytes.held }
}

void t.test('requests on a connection that has closed count for their client for one more second', t => {
  const clock = new FakeClock(t)
  const { pipeline, wait, heldBy } = waiting(100_000)
  const socket = new FakeSocket()
  wait(socket)
  wait(socket)
  const held = heldBy(CLIENT)
  t.ok(held > 0)
  socket.destroy()
  t.equal(pipeline.size, 0)
  t.equal(heldBy(CLIENT), held)
  clock.advance(1_000)
  t.equal(heldBy(CLIENT), 0)
  t.end()
})

void t.test('a client with a new connection for each that is cut has no more requests parsed', t => {
  const clock = new FakeClock(t)
  const { pipeline, wait } = waiting(100_000)
  const countOf = (socket: FakeSocket): number => {
    let count = 0
    for (; !socket.destroyed && count < 100; count += 1) wait(socket)
    return count
  }
  const first = countOf(new FakeSocket())
  t.ok(first > 5)
  t.equal(countOf(new FakeSocket()), 1)
  t.equal(countOf(new FakeSocket()), 1)
  clock.advance(1_000)
  t.equal(countOf(new FakeSocket()), first)
  t.equal(pipeline.size, 0)
  t.end()
})

void t.test('a client that has nothing gets the memory of connections that have closed', t => {
  new FakeClock(t)
  const { pipeline, wait } = waiting(100_000)
  for (let i = 10; i < 20; i += 1) {
    const socket = new FakeSocket()
    while (!socket.destroyed) wait(socket, `192.0.2.${i}`)
  }
  const other = new FakeSocket()
  wait(other)
  t.notOk(other.destroyed)
  t.equal(pipeline.size, 1)
  t.end()
})

void t.test('requests that wait on a connection that closes end without traces of a stack', async t => {
  const { stackTraceLimit } = Error
  const account = ledgerOf(1024 ** 2).accountOf(CLIENT)
  const pipeline = new Pipeline(64 * 1024)
  const stacks: Array<string | undefined> = []
  const server = http.createServer((request, response) => {
    if (!Pipeline.isBehind(response)) return
    pipeline.enter(request, response, account, () => undefined)
    request.on('error', ({ stack }) => stacks.push(stack))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = await RawConnection.open((server.address() as AddressInfo).port)
  client.write(requestBytes('GET /').repeat(5))
  const [socket] = await accepted
  await once(server, 'request')
  client.destroy()
  await once(socket, 'close')
  t.equal(Error.stackTraceLimit, stackTraceLimit)
  await new Promise(setImmediate)
  t.equal(stacks.length, 4)
  for (const stack of stacks) t.notMatch(stack, /\n *at /)
})
