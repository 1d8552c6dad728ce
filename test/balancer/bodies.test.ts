import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import { until } from '../helpers/deadline.js'
import { FakeTarget, socketPathFor } from '../helpers/fake-target.js'
import { requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

const MB = 1_000_000
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const chunk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])

/** Waits until `count` has stopped growing. */
async function settled(count: () => number): Promise<number> {
  let before = -1
  while (count() !== before) {
    before = count()
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  return before
}

void t.test('large bodies pass complete in both directions, with a length or in chunks', async t => {
  const up = randomBytes(10 * MB)
  const down = randomBytes(10 * MB)
  const target = await FakeTarget.start(t, 'a', (request, response) => {
    request.resume().once('end', () => {
      if (request.url === '/length') response.setHeader('content-length', down.length)
      response.write(down.subarray(0, 7 * MB))
      response.end(down.subarray(7 * MB))
    })
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(requestBytes('POST /length', [`Content-Length: ${up.length}`])).write(up)
  const first = await client.response()
  t.equal(sha(first.body), sha(down))
  t.equal(first.headers['content-length'], String(down.length))
  client.write(requestBytes('PUT /chunks', ['Transfer-Encoding: chunked']))
  for (let offset = 0; offset < up.length; offset += MB) client.write(chunk(up.subarray(offset, offset + MB)))
  client.write('0\r\n\r\n')
  const second = await client.response()
  t.equal(sha(second.body), sha(down))
  t.equal(second.headers['transfer-encoding'], 'chunked')
  t.same(
    target.requests.map(({ body }) => sha(body)),
    [sha(up), sha(up)],
  )
  t.equal(target.connections, 1)
})

void t.test('a slow client slows the target down and gets the whole answer', async t => {
  const size = 30 * MB
  let written = 0
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.setHeader('content-length', size)
    const piece = Buffer.alloc(100_000, 'x')
    const pump = (): void => {
      while (written < size) {
        written += piece.length
        if (!response.write(piece)) return
      }
      response.end()
    }
    response.on('drain', pump)
    pump()
  })
  const running = await RunningBalancer.start(t, [target], {}, socketPathFor(t))
  const client = await running.connect()
  client.write(requestBytes('GET /large'))
  await until(() => client.unread.length > 0, 'the answer to begin')
  client.socket.pause()
  const ahead = (await settled(() => written)) - client.unread.length
  t.ok(ahead < 4 * MB, `${ahead} bytes more than the client read were taken from the target`)
  let read = client.unread.length
  client.socket.removeAllListeners('data').on('data', bytes => (read += bytes.length))
  client.socket.resume()
  await until(() => read > size, 'the rest', 20_000)
  t.equal(running.balancer.ledger().inFlight, 0)
})

void t.test('a slow target slows the client down', async t => {
  const size = 30 * MB
  const target = await FakeTarget.start(t, 'a', (request, response) => {
    target.server.once('read', () => request.resume().once('end', () => response.end('all of it')))
  })
  const running = await RunningBalancer.start(t, [target], {}, socketPathFor(t))
  const client = await running.connect()
  client.write(requestBytes('POST /upload', [`Content-Length: ${size}`]))
  let taken = 0
  const piece = Buffer.alloc(100_000)
  for (let rest = size; rest > 0; rest -= piece.length) {
    const bytes = piece.subarray(0, Math.min(rest, piece.length))
    client.socket.write(bytes, () => (taken += bytes.length))
  }
  t.ok((await settled(() => taken)) < 4 * MB, `${taken} bytes were taken from the client`)
  target.server.emit('read')
  t.equal((await client.response()).status, 200)
  t.equal(target.requests[0]?.body.length, size)
})

void t.test('answers without a body are passed on without one', async t => {
  const target = await FakeTarget.start(t, 'a', (request, response) => {
    const status = Number(request.url?.slice(1))
    if (status !== 204) response.setHeader('content-length', 5)
    response.setHeader('etag', '"x"')
    response.writeHead(status).end(status === 200 ? 'hello' : undefined)
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  const head = await client.write(requestBytes('HEAD /200')).response({ head: true })
  t.match(head, { status: 200, headers: { 'content-length': '5', etag: '"x"' } })
  const noContent = await client.write(requestBytes('GET /204')).response()
  t.match(noContent, { status: 204, headers: { etag: '"x"' } })
  t.notOk('content-length' in noContent.headers || 'transfer-encoding' in noContent.headers)
  const notModified = await client.write(requestBytes('GET /304', ['If-None-Match: "x"'])).response()
  t.match(notModified, { status: 304, headers: { etag: '"x"' } })
  t.notOk('transfer-encoding' in notModified.headers)
  t.equal((await client.write(requestBytes('GET /200')).response()).body.toString(), 'hello')
  t.equal(client.unread.length, 0)
})

void t.test('a chunked answer arrives chunk by chunk', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.write('one ')
    target.server.once('two', () => response.write('two '))
    target.server.once('three', () => response.end('three'))
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(requestBytes('GET /'))
  await until(() => client.unread.includes('one '), 'the first')
  target.server.emit('two')
  await until(() => client.unread.includes('two '), 'the second')
  t.notOk(client.unread.includes('three'))
  target.server.emit('three')
  t.equal((await client.response()).body.toString(), 'one two three')
})

void t.test('an answer to an HTTP/1.0 client ends with the connection', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.write('one ')
    response.end('two')
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  const answer = await client.write('GET / HTTP/1.0\r\n\r\n').response()
  t.match(answer, { status: 200, whole: true, headers: { connection: 'close' } })
  t.equal(answer.body.toString(), 'one two')
  t.equal(answer.headers['transfer-encoding'], undefined)
})

void t.test('repeatable requests with a body over the held limit are streamed', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { heldBodyBytes: 1_000 })
  const client = await running.connect()
  const body = randomBytes(500_000)
  client.write(requestBytes('POST /', ['Idempotency-Key: 1', `Content-Length: ${body.length}`])).write(body)
  t.equal((await client.response()).status, 200)
  client.write(requestBytes('POST /', ['Idempotency-Key: 1', 'Transfer-Encoding: chunked']))
  for (let offset = 0; offset < body.length; offset += 999) client.write(chunk(body.subarray(offset, offset + 999)))
  client.write('0\r\n\r\n')
  t.equal((await client.response()).status, 200)
  client.write(requestBytes('POST /', ['Idempotency-Key: 1', 'Transfer-Encoding: chunked']))
  client
    .write(chunk(body.subarray(0, 600)))
    .write(chunk(body.subarray(600, 1_000)))
    .write('0\r\n\r\n')
  t.equal((await client.response()).status, 200)
  t.ok(target.requests[0]?.body.equals(body))
  t.ok(target.requests[1]?.body.equals(body))
  t.equal(target.requests[1]?.headers['transfer-encoding'], 'chunked')
  t.ok(target.requests[2]?.body.equals(body.subarray(0, 1_000)))
  t.equal(target.requests[2]?.headers['content-length'], '1000', 'a held body has a length')
})
