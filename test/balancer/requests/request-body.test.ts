import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { bodyByHeaders, hasBody, holdBody, mayBeWhole, takeWholeBody } from '#balancer/requests/request-body.js'
import type { RequestBody } from '#balancer/transports/transport.js'

function request(t: Test, method: string, headers: Record<string, string>): IncomingMessage {
  const socket = new Socket()
  t.teardown(() => socket.destroy())
  return Object.assign(new IncomingMessage(socket), { method, headers })
}

void t.test('the headers announce a body', t => {
  t.notOk(hasBody(request(t, 'POST', {})))
  t.notOk(hasBody(request(t, 'GET', { 'content-length': '0' })))
  t.ok(hasBody(request(t, 'GET', { 'content-length': '1' })))
  t.ok(hasBody(request(t, 'GET', { 'transfer-encoding': 'chunked' })))
  t.end()
})

const cases: [sentence: string, method: string, headers: Record<string, string>, kind: string][] = [
  ['a GET', 'GET', {}, 'none'],
  ['a POST of length 0', 'POST', { 'content-length': '0' }, 'none'],
  ['a POST', 'POST', { 'content-length': '9' }, 'stream'],
  ['a chunked POST', 'POST', { 'transfer-encoding': 'chunked' }, 'stream'],
  ['a GET with a small body', 'GET', { 'content-length': '9' }, 'to be held'],
  ['a GET with a large body', 'GET', { 'content-length': '11' }, 'stream'],
  ['a GET with a chunked body', 'GET', { 'transfer-encoding': 'chunked' }, 'to be held'],
  ['a POST with a key', 'POST', { 'content-length': '10', 'idempotency-key': 'k' }, 'to be held'],
  ['a GET that waits for 100', 'GET', { 'content-length': '9', expect: '100-continue' }, 'stream'],
]

for (const [sentence, method, headers, kind] of cases) {
  void t.test(`the body of ${sentence} is decided by its headers: ${kind}`, t => {
    t.equal(bodyByHeaders(request(t, method, headers), 10)?.kind ?? 'to be held', kind)
    t.end()
  })
}

function held(from: IncomingMessage, bytes: number): Promise<RequestBody> {
  return new Promise(resolve => holdBody(from, bytes, resolve))
}

void t.test('a body within the limit is held in memory', async t => {
  const message = request(t, 'GET', {})
  message.push('hello ')
  message.push('world')
  message.push(null)
  t.same(await held(message, 11), { kind: 'held', bytes: Buffer.from('hello world') })
})

void t.test('a body that has come with its head is taken whole', async t => {
  const message = request(t, 'POST', { 'content-length': '5' })
  message.push('hello')
  message.push(null)
  const taken = await new Promise<RequestBody>(resolve => takeWholeBody(message, resolve))
  t.same(taken, { kind: 'held', bytes: Buffer.from('hello') })
})

void t.test('a body that has come in part is put back, to be streamed from its beginning', async t => {
  const message = request(t, 'POST', { 'content-length': '5' })
  message.push('hel')
  const taken = await new Promise<RequestBody>(resolve => takeWholeBody(message, resolve))
  t.same(taken, { kind: 'stream' })
  message.push('lo')
  message.push(null)
  t.equal(Buffer.concat(await message.toArray()).toString(), 'hello')
})

void t.test('only a short body that nobody waits for may be here at once', t => {
  t.ok(mayBeWhole(request(t, 'POST', { 'content-length': '9' }), 10))
  t.notOk(mayBeWhole(request(t, 'POST', { 'content-length': '11' }), 10))
  t.notOk(mayBeWhole(request(t, 'POST', { 'transfer-encoding': 'chunked' }), 10))
  t.notOk(mayBeWhole(request(t, 'POST', { 'content-length': '9', expect: '100-continue' }), 10))
  t.end()
})

void t.test('a body over the limit is put back, to be streamed from its beginning', async t => {
  const message = request(t, 'GET', {})
  message.push('hello ')
  message.push('world')
  const body = held(message, 10)
  t.same(await body, { kind: 'stream' })
  message.push('!')
  message.push(null)
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  t.equal(Buffer.concat(chunks).toString(), 'hello world!')
})
