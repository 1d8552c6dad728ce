import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { sendFile } from '#src/app/uploads/send-file.js'
import { ObjectStorage } from '#src/services/object-storage.js'
import { Uploads } from '#src/app/uploads/uploads.js'
import { within } from '../../helpers/deadline.js'
import { noQuota } from '../../helpers/no-quota.js'
import { ask } from '#scripts/lib/http-client.js'
import { serveRoute } from '../../helpers/route-server.js'

const SIZE = 1_000
const access = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1', bucket: 'things' }

/** The behaviour of an object's body after its headers were sent. */
let fate: (response: http.ServerResponse) => void = () => undefined

/** Answers of the storage wait for it. */
let begin = Promise.resolve()

const s3 = http.createServer((request, response) => void begin.then(() => answer(request, response)))

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const ranged = request.headers.range !== undefined
  const length = ranged ? 10 : SIZE
  response.writeHead(ranged ? 206 : 200, {
    etag: '"e"',
    'content-length': length,
    'content-type': 'text/plain',
    'last-modified': new Date(0).toUTCString(),
    ...(ranged ? { 'content-range': `bytes 0-9/${SIZE}` } : {}),
  })
  response.flushHeaders()
  if (request.method === 'HEAD') response.end()
  else fate(response)
}

await once(s3.listen(0, '127.0.0.1'), 'listening')
const storage = new ObjectStorage({ ...access, endpoint: `http://127.0.0.1:${(s3.address() as AddressInfo).port}` })
const uploads = new Uploads(storage, noQuota)
let answered: http.ServerResponse | undefined
const base = await serveRoute(t, (request, response) => {
  answered = response
  return sendFile(uploads, 'key', request, response)
})
t.teardown(() => {
  storage.close()
  s3.close().closeAllConnections()
})

void t.test('a storage that fails before the first byte is 503, without the headers of the file', async t => {
  fate = response => setImmediate(() => response.destroy())
  for (const headers of [{}, { range: 'bytes=0-9' }]) {
    const answer = await ask(base, '/', { headers })
    t.equal(answer.status, 503)
    t.match(JSON.parse(answer.body.toString()), { code: 'STORAGE_UNAVAILABLE' })
    t.equal(answer.headers['retry-after'], '1')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.not(answer.headers.etag, '"e"')
    for (const name of ['last-modified', 'accept-ranges', 'content-disposition', 'content-range']) {
      t.notOk(name in answer.headers, name)
    }
  }
})

void t.test('a storage that fails after the first byte cuts the connection', async t => {
  fate = response => response.write('some', () => response.destroy())
  await t.rejects(ask(base, '/'))
})

void t.test('a client that leaves before the first byte frees the storage connection', async () => {
  const asked = new Promise<http.ServerResponse>(resolve => (fate = resolve))
  const request = http.get(base, { agent: false }).on('error', () => undefined)
  const response = await asked
  request.destroy()
  // Less than the time after which a storage that sends nothing is given up.
  await within(once(response, 'close'), 'the end of the storage connection', 5_000)
})

void t.test('a client that leaves before the storage answers frees the storage connection', async () => {
  let go = (): void => undefined
  begin = new Promise(resolve => (go = resolve))
  const begun = new Promise<http.ServerResponse>(resolve => (fate = resolve))
  const asked = once(s3, 'request')
  const request = http.get(base, { agent: false }).on('error', () => undefined)
  await asked
  request.destroy()
  await once(answered!, 'close')
  go()
  await within(once(await begun, 'close'), 'the end of the storage connection', 5_000)
})

void t.test('a file arrives whole, in one piece or in several', async t => {
  fate = response => response.write('x', () => setImmediate(() => response.end('x'.repeat(SIZE - 1))))
  const { status, headers, body } = await ask(base, '/')
  t.equal(status, 200)
  t.equal(headers.etag, '"e"')
  t.equal(body.length, SIZE)
})
