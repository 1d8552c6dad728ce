import { connect } from 'node:net'
import t from 'tap'
import { send, sign, type Endpoint, type RequestOptions } from './signed-request.js'
import { storeWithBucket } from './started-store.js'

/** The bytes of a request. */
function bytesOf(endpoint: Endpoint, options: RequestOptions): Buffer {
  const { headers, path } = sign(endpoint, options)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${options.method ?? 'GET'} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.from((options.body ?? '') as Buffer)])
}

void t.test('requests of one connection are carried out in their order, sent ahead or not', async t => {
  const { endpoint } = await storeWithBucket(t)
  for (let round = 0; round < 5; round++) {
    const path = `/bucket/key-${round}`
    const requests: RequestOptions[] = [
      { method: 'PUT', path, body: 'first'.repeat(50_000) },
      { method: 'PUT', path, body: 'second' },
      { path },
      { method: 'DELETE', path },
      { path },
    ]
    const socket = connect(endpoint.port, '127.0.0.1')
    socket.write(Buffer.concat(requests.map(request => bytesOf(endpoint, request))))
    let text = ''
    for await (const piece of socket.setEncoding('latin1') as AsyncIterable<string>) {
      text += piece
      if (text.endsWith('</Error>')) break
    }
    t.same(
      [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['200', '200', '200', '204', '404'],
    )
    t.match(text, /\r\n\r\nsecondHTTP/)
    t.equal((await send(endpoint, { path })).status, 404, 'a delete that was confirmed stays')
  }
})

void t.test('a connection with too many requests ahead is cut, and others go on', async t => {
  const { endpoint } = await storeWithBucket(t)
  const { headers, path } = sign(endpoint, { method: 'PUT', path: '/bucket/key', body: 'x' })
  const slow = connect(endpoint.port, '127.0.0.1')
  const closed = new Promise(resolve => slow.on('error', () => undefined).once('close', resolve))
  const get = bytesOf(endpoint, { path: '/bucket/key' })
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  slow.write(`PUT ${path} HTTP/1.1\r\n${lines.join('')}\r\nx`)
  slow.resume().write(Buffer.concat(Array.from({ length: 1_000 }, () => get)))
  await closed
  t.equal((await send(endpoint, { path: '/bucket' })).status, 200)
})
