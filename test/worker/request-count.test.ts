import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { DETACHED } from '#balancer/contract/detached-response.js'
import { RequestCount } from '#src/worker/request-count.js'

const answer = (): ServerResponse => new EventEmitter() as unknown as ServerResponse

void t.test('a request is in flight until its answer is closed', t => {
  const count = new RequestCount()
  const first = answer()
  count.begin(first)
  t.strictSame(count.counts, { inFlight: 1, streaming: 0, upgraded: 0, requests: 1 })
  first.emit('close')
  t.strictSame(count.counts, { inFlight: 0, streaming: 0, upgraded: 0, requests: 1 })
  t.end()
})

void t.test('an answer that is taken from the app is over once, even if the app goes on writing', t => {
  const count = new RequestCount()
  const [taken, other] = [answer(), answer()]
  count.begin(taken)
  count.begin(other)
  taken.emit(DETACHED)
  taken.emit('close')
  t.match(count.counts, { inFlight: 1, requests: 2 })
  t.end()
})

void t.test('an upgraded connection counts until it is closed', t => {
  const count = new RequestCount()
  const socket = new EventEmitter() as unknown as Duplex
  count.beginUpgrade(socket)
  t.strictSame(count.counts, { inFlight: 0, streaming: 0, upgraded: 1, requests: 1 })
  socket.emit('close')
  t.strictSame(count.counts, { inFlight: 0, streaming: 0, upgraded: 0, requests: 1 })
  t.end()
})

void t.test('an answer that has begun is counted as streaming', t => {
  const count = new RequestCount()
  const [begun, waiting] = [Object.assign(answer(), { headersSent: true }), answer()]
  count.begin(begun)
  count.begin(waiting)
  t.match(count.counts, { inFlight: 2, streaming: 1 })
  begun.emit('close')
  t.match(count.counts, { inFlight: 1, streaming: 0 })
  t.end()
})
