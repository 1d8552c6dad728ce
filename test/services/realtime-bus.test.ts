import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import type { Server, Socket } from 'socket.io'
import t from 'tap'
import { lineOf } from '#src/services/sliced-broadcasts.js'
import { TimeSlices } from '#src/services/time-slices.js'
import { Realtime } from '#src/services/realtime.js'
import { ClientShares } from '#src/worker/client-shares.js'
import { ChatClient } from '../helpers/chat-client.js'
import { within } from '../helpers/deadline.js'
import { RedisServer } from '../helpers/redis-server.js'

const server = await RedisServer.start(t)
const log = pino({ level: 'silent' })

/** One worker's server and a client of it. */
async function worker(workerId: string): Promise<{ io: Server; client: ChatClient; lines: string[] }> {
  const redis = await server.connect(t)
  const realtime = new Realtime({
    workerId,
    redis,
    address: { url: server.url },
    upstreamTimeoutMs: 30_000,
    log,
    shares: new ClientShares(10),
  })
  const lines: string[] = []
  const slices = new TimeSlices<Socket>({ share: 0.5 })
  const add = slices.add.bind(slices)
  slices.add = (sockets, act, line = '') => {
    lines.push(line)
    add(sockets, act, line)
  }
  realtime.ownBy({ headers: {}, slices })
  const io = realtime.io()
  await realtime.joined()
  const listener = http.createServer((request, response) => realtime.handleRequest(request, response))
  await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    realtime.stop()
    listener.close().closeAllConnections()
  })
  const { port } = listener.address() as AddressInfo
  return { io, lines, client: await ChatClient.connect(t, `http://127.0.0.1:${port}`, 'polling') }
}

const [one, two] = [await worker('1'), await worker('2')]
const redis = await server.connect(t)

void t.test('a message is the same at every worker, even with lone surrogates in its keys', async t => {
  const messages = [
    { [`${'\ud800'.repeat(50)}a`]: '\udc00'.repeat(50) },
    JSON.parse('{"__proto__":{"a":1}}') as unknown,
    { at: new Date(0), is: undefined, not: [undefined] },
  ]
  for (const message of messages) one.io.emit('message', message)
  for (const message of messages) await two.client.receives(message)
  t.strictSame(two.client.messages, one.client.messages)
})

void t.test('a message waits in the line of its speaker at every worker', async t => {
  for (const { lines } of [one, two]) lines.length = 0
  one.io.except(lineOf('somebody')).emit('message', 'in a line')
  for (const { client, lines } of [one, two]) {
    await client.receives('in a line')
    t.strictSame(lines, ['line of somebody'])
  }
})

void t.test('attachments arrive at other workers as bytes', async t => {
  const bytes = Buffer.from([0, 255, 1])
  const arrived = new Promise(resolve => two.client.socket.once('bytes', resolve))
  one.io.emit('bytes', { bytes })
  t.strictSame(await within(arrived, 'the attachment'), { bytes })
})

void t.test('fetchSockets gathers the sockets of all workers', async t => {
  t.strictSame(
    (await one.io.fetchSockets()).map(({ id }) => id).sort(),
    [one.client.socket.id, two.client.socket.id].sort(),
  )
  two.io.on('question', (asked: string, answer: (text: string) => void) => answer(`${asked} yes`))
  t.strictSame(await one.io.serverSideEmitWithAck('question', 'well?'), ['well? yes'])
  for (const { client } of [one, two])
    client.socket.on('call', (answer: (text: string) => void) => answer(client.worker))
  t.strictSame(((await one.io.timeout(5_000).emitWithAck('call')) as string[]).sort(), ['1', '2'])
})

void t.test('a malformed message from Redis does no harm', async t => {
  for (const channel of ['outpost:io:0#/#', 'outpost:io:0-request#/#', 'outpost:io:0-response#/#']) {
    for (const message of ['nonsense', '{', '']) t.equal(await redis.publish(channel, message), 2)
  }
  one.io.emit('message', 'still there')
  await two.client.receives('still there')
})
