import { IncomingMessage, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { UnreadBodies } from '#balancer/contract/unread-bodies.js'

interface Kept {
  parser: { incoming: IncomingMessage | null }
  _httpMessage: Pick<ServerResponse, 'headersSent'> | null
}

/** A connection as Node leaves it when the body of an answered request has filled its buffer. */
function unread(): { connection: Socket & Kept; request: IncomingMessage } {
  const socket = new Socket()
  const request = new IncomingMessage(socket)
  request.push(Buffer.alloc(request.readableHighWaterMark))
  const kept: Kept = { parser: { incoming: request }, _httpMessage: null }
  return { connection: Object.assign(socket, kept), request }
}

void t.test('a connection is left when the body of its answered request was not read on for two seconds', t => {
  const bodies = new UnreadBodies()
  const { connection } = unread()
  t.strictSame(bodies.leftIn([connection], 10_000), [], 'nobody has looked before')
  t.strictSame(bodies.leftIn([connection], 11_999), [])
  t.strictSame(bodies.leftIn([connection], 12_000), [connection])
  t.end()
})

void t.test('a connection is not left while something happens on it', t => {
  const [answering, idle, drained, reading] = [unread(), unread(), unread(), unread()]
  answering.connection._httpMessage = { headersSent: true }
  idle.connection.parser.incoming = null
  drained.request.read()
  let bytesRead = 0
  Object.defineProperty(reading.connection, 'bytesRead', { get: () => (bytesRead += 1) })
  const connections = [answering, idle, drained, reading].map(({ connection }) => connection)
  const bodies = new UnreadBodies()
  for (const now of [0, 2_000, 4_000]) t.strictSame(bodies.leftIn(connections, now), [])
  t.end()
})
