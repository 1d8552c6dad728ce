import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, realpath, mkdir, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { ObjectStore, type ObjectStoreOptions } from '#src/object-store/object-store.js'
import { storeAnswerTo, element, elements, open, send, sendRaw, type Endpoint } from './signed-request.js'
import { credentials, startedStore } from './started-store.js'

const startStore = (t: Test, directory: string, options: Partial<ObjectStoreOptions> = {}) =>
  startedStore(t, { directory, ...options })

const allFiles = async (directory: string): Promise<string[]> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}

const put = (endpoint: Endpoint, path: string, body: string | Buffer = '') =>
  send(endpoint, { method: 'PUT', path, body })

/** A PUT that has sent half of its body, and of which the store has written something. */
async function halfUpload(t: Test, endpoint: Endpoint, directory: string, path: string) {
  const headers = { 'content-length': '200000' }
  const request = open(endpoint, { method: 'PUT', path, headers, contentSha256: 'UNSIGNED-PAYLOAD' })
  request.on('error', () => undefined)
  request.setHeader('expect', '100-continue')
  request.flushHeaders()
  await once(request, 'continue')
  await new Promise(resolve => request.write(Buffer.alloc(100_000), resolve))
  t.equal((await readdir(join(directory, 'temp'))).length, 1)
  return request
}

void t.test('the store listens on loopback only', t => {
  const options = { ...credentials, directory: '/nowhere', port: 0 }
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost', 'example.com', '']) {
    t.throws(() => new ObjectStore({ ...options, host }), /loopback/, host)
  }
  t.doesNotThrow(() => new ObjectStore({ ...options, host: '127.0.0.2' }))
  t.doesNotThrow(() => new ObjectStore({ ...options, host: '::1' }))
  t.throws(() => new ObjectStore({ ...options, secretKey: '' }), /secret key/)
  t.end()
})

void t.test('start and stop of the store are idempotent', async t => {
  const { store, endpoint } = await startStore(t, t.testdir())
  t.same(await store.start(), { port: endpoint.port })
  await Promise.all([store.stop(), store.stop()])
  await store.stop()
  const socket = connect(endpoint.port, '127.0.0.1')
  await t.rejects(once(socket, 'connect'), { code: 'ECONNREFUSED' })
  const never = new ObjectStore({ ...credentials, directory: t.testdirName, port: 0 })
  await never.stop()
})

void t.test('a second store on the same directory or port is refused', async t => {
  const directory = t.testdir()
  const { store, endpoint } = await startStore(t, directory)
  const second = new ObjectStore({ ...credentials, directory, port: 0 })
  await t.rejects(second.start(), /another object store is running/)
  await second.stop()
  const elsewhere = new ObjectStore({ ...credentials, directory: join(directory, 'other'), port: endpoint.port })
  await t.rejects(elsewhere.start(), { code: 'EADDRINUSE' })
  await store.stop()
  await startStore(t, directory)
})

void t.test('nothing that another user of this machine can take prevents a start', async t => {
  const directory = t.testdir()
  const digest = createHash('sha256')
    .update(await realpath(directory))
    .digest('hex')
  const taken = createServer().listen(`\0outpost-object-store-${digest.slice(0, 32)}`)
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const store = new ObjectStore({ ...credentials, directory, port: 0 })
  t.teardown(() => store.stop())
  t.ok((await store.start()).port > 0)
})

void t.test('the file of an object is named by the hash of its key', async t => {
  const root = t.testdir()
  const directory = join(root, 'store')
  const { endpoint } = await startStore(t, directory)
  await put(endpoint, '/bucket')
  const keys = ['../../../../escape', '/absolute', 'a//b', '.', '..', 'con\\..\\..\\x', 'new\nline', 'k'.repeat(1024)]
  for (const key of keys) {
    t.equal((await put(endpoint, `/bucket/${key}`, key)).status, 200, key.slice(0, 20))
    t.equal((await send(endpoint, { path: `/bucket/${key}` })).text, key)
  }
  t.same(await readdir(root), ['store'])
  const objects = await allFiles(join(directory, 'buckets', 'bucket', 'objects'))
  t.equal(objects.length, keys.length)
  for (const file of objects) t.match(basename(file), /^[0-9a-f]{64}$/)
  t.match(await put(endpoint, `/bucket/${'k'.repeat(1025)}`), { status: 400, code: 'KeyTooLongError' })
  for (const path of ['/..', '/../x', '/.', '/buc', '/a..b', '/192.168.0.1', '/UPPER']) {
    const { status } = await put(endpoint, path)
    t.ok(path === '/buc' ? status === 200 : status === 400 || status === 404, `${path} ${status}`)
  }
})

void t.test('objects, parts and uploads under way survive a restart', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  await put(first.endpoint, '/bucket')
  await put(first.endpoint, '/bucket/plain', 'plain')
  await put(first.endpoint, '/bucket/gone', 'gone')
  await send(first.endpoint, { method: 'DELETE', path: '/bucket/gone' })
  const upload = async (key: string, complete: boolean) => {
    const path = `/bucket/${key}`
    const created = await send(first.endpoint, { method: 'POST', path, query: { uploads: '' } })
    const uploadId = element(created.text, 'UploadId') ?? ''
    const query = { uploadId, partNumber: '3' }
    const part = await send(first.endpoint, { method: 'PUT', path, query, body: 'the only part' })
    const body = `<CompleteMultipartUpload><Part><ETag>${part.headers.etag}</ETag><PartNumber>3</PartNumber></Part></CompleteMultipartUpload>`
    const finish = (endpoint: Endpoint) => send(endpoint, { method: 'POST', path, query: { uploadId }, body })
    if (complete) t.equal((await finish(first.endpoint)).status, 200)
    return finish
  }
  await upload('multipart', true)
  await upload('replaced', true)
  await put(first.endpoint, '/bucket/replaced', 'replaced')
  const finish = await upload('under-way', false)
  await first.store.stop()

  const { endpoint } = await startStore(t, directory)
  const listed = await send(endpoint, { path: '/bucket' })
  t.same(elements(listed.text, 'Key'), ['multipart', 'plain', 'replaced'])
  t.equal((await send(endpoint, { path: '/bucket/plain' })).text, 'plain')
  t.equal((await send(endpoint, { path: '/bucket/multipart' })).text, 'the only part')
  t.equal((await send(endpoint, { path: '/bucket/replaced' })).text, 'replaced')
  t.equal((await finish(endpoint)).status, 200)
  t.equal((await send(endpoint, { path: '/bucket/under-way' })).text, 'the only part')
  t.equal((await readdir(join(directory, 'buckets', 'bucket', 'uploads'))).length, 2)
})

void t.test('a start removes litter, and reports damaged files without touching them', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  await put(first.endpoint, '/bucket')
  await put(first.endpoint, '/bucket/good', 'good')
  await first.store.stop()
  const bucket = join(directory, 'buckets', 'bucket')
  await writeFile(join(directory, 'temp', 'left-over'), 'litter')
  await mkdir(join(bucket, 'uploads', '0'.repeat(32)))
  await writeFile(join(bucket, 'uploads', '0'.repeat(32), '00001'), 'litter')

  const second = await startStore(t, directory)
  t.same(await readdir(join(directory, 'temp')), [])
  t.same(await readdir(join(bucket, 'uploads')), [])
  await second.store.stop()

  const [file = ''] = await allFiles(join(bucket, 'objects'))
  const bytes = await readFile(file)
  await writeFile(file, bytes.subarray(0, -5))
  const parts = '1'.repeat(32)
  await mkdir(join(bucket, 'uploads', parts))
  const warnings: string[] = []
  const third = await startStore(t, directory, { warn: message => warnings.push(message) })
  t.match(warnings, [/damaged/])
  t.equal((await send(third.endpoint, { path: '/bucket/good' })).status, 500)
  t.same(await readdir(join(bucket, 'uploads')), [parts])
  t.equal((await put(third.endpoint, '/bucket/good', 'again')).status, 200)
  t.equal((await send(third.endpoint, { path: '/bucket/good' })).text, 'again')
})

void t.test('a download ends with the version it began with', async t => {
  const { endpoint } = await startStore(t, t.testdir())
  await put(endpoint, '/bucket')
  const path = '/bucket/large'
  const created = await send(endpoint, { method: 'POST', path, query: { uploads: '' } })
  const uploadId = element(created.text, 'UploadId') ?? ''
  const old = Buffer.alloc(24 << 20, 'old')
  const parts: string[] = []
  for (const partNumber of [1, 2]) {
    const query = { uploadId, partNumber: String(partNumber) }
    const { headers } = await send(endpoint, { method: 'PUT', path, query, body: old })
    parts.push(`<Part><PartNumber>${partNumber}</PartNumber><ETag>${headers.etag}</ETag></Part>`)
  }
  const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
  t.equal((await send(endpoint, { method: 'POST', path, query: { uploadId }, body })).status, 200)

  const request = open(endpoint, { path })
  request.end()
  const [response] = (await once(request, 'response')) as [AsyncIterable<Buffer>]
  await put(endpoint, path, 'new')
  await send(endpoint, { method: 'DELETE', path })
  let length = 0
  for await (const piece of response) length += piece.length
  t.equal(length, 2 * old.length)
  t.equal((await send(endpoint, { path })).status, 404)
})

void t.test('an upload that is broken off leaves nothing', async t => {
  const directory = t.testdir()
  const { store, endpoint } = await startStore(t, directory)
  await put(endpoint, '/bucket')
  const request = await halfUpload(t, endpoint, directory, '/bucket/half')
  request.destroy()
  await store.stop()
  t.same(await readdir(join(directory, 'temp')), [])
  t.same(await allFiles(join(directory, 'buckets', 'bucket', 'objects')), [])
})

void t.test('stop lets a request finish', async t => {
  const directory = t.testdir()
  const { store, endpoint } = await startStore(t, directory)
  await put(endpoint, '/bucket')
  const request = await halfUpload(t, endpoint, directory, '/bucket/whole')
  const stopped = store.stop()
  request.end(Buffer.alloc(100_000))
  t.equal((await storeAnswerTo(request)).status, 200)
  await stopped
  t.equal((await allFiles(join(directory, 'buckets', 'bucket', 'objects'))).length, 1)
})

void t.test('a request whose head ends during a stop is answered as the last on its connection', async t => {
  const directory = t.testdir()
  const { store, endpoint } = await startStore(t, directory)
  await put(endpoint, '/bucket')
  const late = connect(endpoint.port, '127.0.0.1')
  t.teardown(() => late.destroy())
  let answer = ''
  late.setEncoding('latin1').on('data', text => (answer += String(text)))
  late.write('GET /bucket HTTP/1.1\r\nHost: x\r\n')
  const other = await halfUpload(t, endpoint, directory, '/bucket/whole')
  const stopped = store.stop()
  late.write('\r\n')
  await once(late, 'close')
  t.match(answer, /^HTTP\/1.1 403 [^]*\r\nConnection: close\r\n/)
  other.end(Buffer.alloc(100_000))
  await Promise.all([storeAnswerTo(other), stopped])
})

void t.test('stop cuts a request that does not finish', async t => {
  const directory = t.testdir()
  const { store, endpoint } = await startStore(t, directory, { stopTimeoutMs: 1 })
  await put(endpoint, '/bucket')
  const request = await halfUpload(t, endpoint, directory, '/bucket/half')
  const closed = new Promise(resolve => request.once('close', resolve))
  await store.stop()
  await closed
  t.same(await readdir(join(directory, 'temp')), [])
})

void t.test('an idle connection is cut', async t => {
  const { endpoint } = await startStore(t, t.testdir(), { idleTimeoutMs: 20 })
  const socket = connect(endpoint.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write('PUT /bucket/key HTTP/1.1\r\nhost: x\r\n')
  socket.resume()
  await once(socket, 'close')
})

void t.test('a request that will be refused is refused before its body is sent', async t => {
  const { endpoint } = await startStore(t, t.testdir(), { maxObjectBytes: 1000 })
  await put(endpoint, '/bucket')
  const ask = async (path: string, length: string, secretKey = 'secret') => {
    const options = { method: 'PUT', path, headers: { 'content-length': length }, contentSha256: 'UNSIGNED-PAYLOAD' }
    const request = open(endpoint, { ...options, secretKey, unsignedHeaders: { expect: '100-continue' } })
    request.on('continue', () => t.fail('must not be asked for its body'))
    request.flushHeaders()
    const answer = await storeAnswerTo(request)
    request.destroy()
    return answer
  }
  t.match(await ask('/bucket/large', '1001'), { status: 400, code: 'EntityTooLarge' })
  t.match(await ask('/missing/key', '10'), { status: 404, code: 'NoSuchBucket' })
  t.match(await ask('/bucket/key', '10', 'guess'), { status: 403, code: 'SignatureDoesNotMatch' })
})

void t.test('an answer reaches a client that sends all of a refused body', async t => {
  const { endpoint } = await startStore(t, t.testdir(), { maxObjectBytes: 1000 })
  await put(endpoint, '/bucket')
  t.match(await put(endpoint, '/bucket/large', Buffer.alloc(20 << 20)), { status: 400, code: 'EntityTooLarge' })
})

void t.test('unimplemented operations are answered 501', async t => {
  const { endpoint } = await startStore(t, t.testdir())
  await put(endpoint, '/bucket')
  await put(endpoint, '/bucket/key', 'content')
  const notImplemented = { status: 501, code: 'NotImplemented' }
  for (const name of ['acl', 'policy', 'lifecycle', 'cors', 'tagging', 'encryption', 'versions']) {
    t.match(await send(endpoint, { path: '/bucket', query: { [name]: '' } }), notImplemented, name)
  }
  for (const name of ['acl', 'tagging', 'retention', 'torrent', 'annotation']) {
    t.match(await send(endpoint, { path: '/bucket/key', query: { [name]: '' } }), notImplemented, name)
  }
  t.match(await send(endpoint, { method: 'POST', path: '/bucket/key' }), notImplemented)
  t.match(await send(endpoint, { method: 'PATCH', path: '/bucket/key' }), notImplemented)
  t.match(await send(endpoint, { path: '/bucket/key', query: { versionId: 'x' } }), notImplemented)
  t.equal(
    (await send(endpoint, { path: '/bucket/key', query: { versionId: 'null', 'x-id': 'GetObject' } })).status,
    200,
  )
  const forbidden = { 'x-amz-acl': 'public-read', 'x-amz-server-side-encryption': 'AES256', 'x-amz-tagging': 'a=b' }
  for (const [name, value] of Object.entries(forbidden)) {
    const refused = await send(endpoint, { method: 'PUT', path: '/bucket/key', headers: { [name]: value }, body: 'y' })
    t.match(refused, notImplemented, name)
  }
  t.equal((await send(endpoint, { path: '/bucket/key' })).text, 'content')
})

void t.test('malformed requests are answered, and the store keeps serving', async t => {
  const { endpoint } = await startStore(t, t.testdir())
  await put(endpoint, '/bucket')
  t.match(await sendRaw(endpoint, 'GET', '/bucket/%zz'), { status: 400, code: 'InvalidURI' })
  t.match(await sendRaw(endpoint, 'GET', 'http://example.com/'), { status: 400, code: 'InvalidURI' })
  const headers = { 'x-amz-meta-large': 'x'.repeat(3000) }
  t.match(await send(endpoint, { method: 'PUT', path: '/bucket/a', headers }), { code: 'MetadataTooLarge' })
  const badHeader = { 'response-content-type': 'text/plain\r\nx-injected: 1' }
  await put(endpoint, '/bucket/a', 'x')
  t.match(await send(endpoint, { path: '/bucket/a', query: badHeader }), { status: 400, code: 'InvalidArgument' })
  const socket = connect(endpoint.port, '127.0.0.1')
  socket.end('nonsense\r\n\r\n').resume()
  await once(socket, 'close')
  t.equal((await send(endpoint, { path: '/bucket/a' })).text, 'x')
})

void t.test('a fault is logged in detail, and the client gets no details', async t => {
  const directory = t.testdir()
  const warnings: string[] = []
  const { endpoint } = await startStore(t, directory, { warn: message => warnings.push(message) })
  await put(endpoint, '/bucket')
  await put(endpoint, '/bucket/key', 'content')
  const [file = ''] = await allFiles(join(directory, 'buckets', 'bucket', 'objects'))
  await writeFile(file, 'not a record')
  const answer = await send(endpoint, { path: '/bucket/key' })
  t.match(answer, { status: 500, code: 'InternalError' })
  t.notMatch(answer.text, /not a record|buckets/)
  t.match(warnings, [/^request failed: GET \/bucket\/key: InternalError/])
})

void t.test('ten writers of one key leave one whole object', async t => {
  const { endpoint } = await startStore(t, t.testdir())
  await put(endpoint, '/bucket')
  const bodies = Array.from({ length: 10 }, (_, index) => String(index).repeat(100_000))
  const stored = await Promise.all(bodies.map(body => put(endpoint, '/bucket/contended', body)))
  t.same(new Set(stored.map(({ status }) => status)), new Set([200]))
  const final = await send(endpoint, { path: '/bucket/contended' })
  t.ok(bodies.includes(final.text))
  const listed = await send(endpoint, { path: '/bucket' })
  t.equal(element(listed.text, 'ETag'), final.headers.etag?.replaceAll('"', '&quot;'))
})
