import { EventEmitter, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { PassThrough, type Duplex } from 'node:stream'
import v8 from 'node:v8'
import vm from 'node:vm'
import t from 'tap'
import { DETACHED } from '#balancer/contract/detached-response.js'
import { RequestCount } from '#src/worker/request-count.js'

const BODY_WORDS = 500

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

void t.test('an upgraded connection whose client has left counts no more, and can be closed', async t => {
  const count = new RequestCount()
  const [left, open] = [new PassThrough(), new PassThrough()]
  for (const socket of [left, open]) count.beginUpgrade(socket)
  left.end().resume()
  await once(left, 'end')
  t.match(count.counts, { upgraded: 1 })
  count.closeLeftUpgrades()
  t.strictSame([left.destroyed, open.destroyed], [true, false])
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

void t.test('an answer that is closed is not kept from the collections of young objects', t => {
  const count = new RequestCount()
  const waiting: ServerResponse[] = []
  const serve = (answers: number): void => {
    for (let i = 0; i < answers; i += 1) {
      const next = Object.assign(answer(), { body: new Array<number>(BODY_WORDS).fill(i) })
      count.begin(next)
      waiting.push(next)
      if (waiting.length > 8) waiting.shift()?.emit('close')
    }
  }
  serve(2_000)
  // Objects that are in the old space now, such as the table of a Set, would keep all that is reached from them until
  // the next whole collection.
  collectAll()
  const before = oldBytes()
  serve(40_000)
  const moved = (oldBytes() - before) / (40_000 * BODY_WORDS * 8)
  t.ok(moved < 0.002, `${(moved * 100).toFixed(1)} % of the answers moved to the old space`)
  t.end()
})

function oldBytes(): number {
  const spaces = v8.getHeapSpaceStatistics().filter(({ space_name: name }) => /^(old|large_object)_space$/.test(name))
  return spaces.reduce((sum, { space_used_size: bytes }) => sum + bytes, 0)
}

function collectAll(): void {
  v8.setFlagsFromString('--expose-gc')
  ;(vm.runInNewContext('gc') as () => void)()
  v8.setFlagsFromString('--no-expose-gc')
}
