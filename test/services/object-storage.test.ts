import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import t, { type Test } from 'tap'
import type { StorageAddress } from '#src/ipc/messages.js'
import { ObjectStore } from '#src/object-store/object-store.js'
import { ObjectStorage } from '#src/services/object-storage.js'
import { PART_BYTES } from '#src/services/storage-client.js'
import { isStorageUnavailable } from '#src/services/storage-errors.js'
import { ask } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'
import { freePort } from '#scripts/lib/free-port.js'

const unavailable = { name: 'StorageUnavailableError' }
const keys = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1' }

interface Running {
  store: ObjectStore
  storage: ObjectStorage
  address: StorageAddress
}

async function running(t: Test): Promise<Running> {
  const store = new ObjectStore({ ...keys, directory: temporaryFolder(t), port: 0 })
  const { port } = await store.start()
  t.teardown(() => store.stop())
  const address = { ...keys, bucket: 'things', endpoint: `http://127.0.0.1:${port}` }
  return { store, address, storage: storageAt(t, address) }
}

function storageAt(t: Test, address: StorageAddress): ObjectStorage {
  const storage = new ObjectStorage(address)
  t.teardown(() => storage.close())
  return storage
}

async function bytesOf(storage: ObjectStorage, key: string, range?: { start: number; end: number }): Promise<Buffer> {
  const found = await storage.get(key, range)
  const chunks: Buffer[] = []
  for await (const chunk of found!.body as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

function* inPieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

void t.test('an object comes back as it was put, for all sizes of object and pieces', async t => {
  const { storage } = await running(t)
  for (const size of [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 2 * PART_BYTES + 7]) {
    for (const piece of [100_000, PART_BYTES + 3]) {
      const content = randomBytes(size)
      const { size: told, etag } = await storage.put('k', inPieces(content, piece))
      t.equal(told, size)
      t.ok((await bytesOf(storage, 'k')).equals(content), `${size} in pieces of ${piece}`)
      t.match(await storage.stat('k'), { size, etag })
    }
  }
  t.strictSame(await all(storage.incompleteUploads('')), [])
})

void t.test('type and metadata are kept, for one part and for several', async t => {
  const { storage } = await running(t)
  for (const size of [10, PART_BYTES + 10]) {
    const options = { contentType: 'text/plain', metadata: { owner: 'jos%C3%A9', 'some-name': 'x' } }
    await storage.put('k', [Buffer.alloc(size)], options)
    t.match(await storage.stat('k'), { ...options, size })
    const found = await storage.get('k', { start: 2, end: 5 })
    t.match(found!.info, { ...options, size })
    found!.body.destroy()
  }
})

void t.test('a range has exactly the requested bytes', async t => {
  const { storage } = await running(t)
  const content = randomBytes(PART_BYTES + 1_000)
  await storage.put('k', [content])
  for (const [start, end] of [
    [0, 0],
    [0, 9],
    [PART_BYTES - 1, PART_BYTES],
    [content.length - 1, content.length - 1],
  ] as const) {
    t.ok((await bytesOf(storage, 'k', { start, end })).equals(content.subarray(start, end + 1)))
  }
})

void t.test('a missing object is undefined, and removing it succeeds', async t => {
  const { storage } = await running(t)
  for (const name of ['before there is a bucket', 'after']) {
    t.equal(await storage.get('none'), undefined, name)
    t.equal(await storage.stat('none'), undefined)
    t.equal(await storage.getJson('none'), undefined)
    t.strictSame(await all(storage.list()), [])
    await storage.remove('none')
    await storage.check()
  }
})

void t.test('keys are listed in order, over pages', async t => {
  const { storage } = await running(t)
  const names = Array.from({ length: 100 }, (_, i) => `a/${String(i).padStart(4, '0')} é&`)
  await Promise.all(names.map(key => storage.put(key, [Buffer.from('x')])))
  await storage.put('b', [])
  const listed = await all(storage.list('a/', 30))
  t.strictSame(
    listed.map(({ key }) => key),
    names,
  )
})

void t.test('a presigned URL works by itself', async t => {
  const { storage } = await running(t)
  await storage.check()
  const put = await ask(await storage.presign('PUT', 'k', 60), '', { method: 'PUT', body: 'by url' })
  t.equal(put.status, 200)
  t.equal((await ask(await storage.presign('GET', 'k', 60), '')).text, 'by url')
})

void t.test('a source that fails leaves no object and no upload', async t => {
  const { storage } = await running(t)
  for (const size of [10, PART_BYTES + 10]) {
    const source = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(size)
      yield await Promise.reject(new Error('the client left'))
    }
    await t.rejects(within(storage.put('k', source()), 'the end of it'), { message: 'the client left' })
    t.equal(await storage.stat('k'), undefined)
    t.strictSame(await all(storage.incompleteUploads('')), [])
  }
})

void t.test('nothing is read from the source while a part is being sent', async t => {
  const { storage, store } = await running(t)
  await storage.check()
  let taken = 0
  const source = function* (): Generator<Buffer> {
    for (let i = 0; i < 100; i++) {
      taken += 1
      yield Buffer.alloc(1024 ** 2)
    }
  }
  await store.stop()
  await t.rejects(storage.put('k', source()), unavailable)
  t.ok(taken <= PART_BYTES / 1024 ** 2 + 1, String(taken))
})

void t.test('a storage that is away causes a StorageUnavailableError', async t => {
  const nobody = storageAt(t, { ...keys, bucket: 'things', endpoint: `http://127.0.0.1:${await freePort()}` })
  const silentServer = net.createServer(socket => socket.on('error', () => undefined).resume())
  const busyServer = http.createServer((_request, response) => response.writeHead(503).end('<Error/>'))
  for (const server of [silentServer, busyServer]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
  }
  const at = (server: net.Server): ObjectStorage => {
    const { port } = server.address() as net.AddressInfo
    return storageAt(t, { ...keys, bucket: 'things', endpoint: `http://127.0.0.1:${port}` })
  }
  const calls = [nobody, at(silentServer), at(busyServer)].flatMap((storage): Promise<unknown>[] => [
    storage.check(),
    storage.stat('k'),
    storage.get('k'),
    storage.put('k', [Buffer.from('x')]),
    all(storage.list()),
  ])
  await Promise.all(calls.map(call => t.rejects(within(call, 'an answer', 10_000), unavailable)))
})

void t.test('calls work again after the storage was restarted', async t => {
  const directory = temporaryFolder(t)
  const port = await freePort()
  const storage = storageAt(t, { ...keys, bucket: 'things', endpoint: `http://127.0.0.1:${port}` })
  for (let round = 0; round < 3; round++) {
    const store = new ObjectStore({ ...keys, directory, port })
    await store.start()
    await storage.putJson('k', { round })
    t.strictSame(await storage.getJson('k'), { round })
    await store.stop()
  }
})

void t.test('calls beyond the limit wait, and calls beyond the queue are refused', async t => {
  const open = new Set<http.ServerResponse>()
  let most = 0
  const server = http.createServer((_request, response) => {
    open.add(response)
    most = Math.max(most, open.size)
    setImmediate(() => {
      open.delete(response)
      response.writeHead(404).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as net.AddressInfo
  const storage = storageAt(t, { ...keys, bucket: 'things', endpoint: `http://127.0.0.1:${port}` })
  const calls = await Promise.allSettled(Array.from({ length: 400 }, () => storage.stat('k')))
  const refused = calls.filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 80)
  t.ok(refused.every(call => isStorageUnavailable((call as PromiseRejectedResult).reason)))
  t.ok(most <= 64, String(most))
})

void t.test('an upload is reported at its start and its end, and fails when it is removed in between', async t => {
  const { storage, address } = await running(t)
  const witnessed = new Set<string>()
  const worker = new ObjectStorage(address, {
    begun: id => void witnessed.add(id),
    ended: id => void witnessed.delete(id),
  })
  t.teardown(() => worker.close())
  const under = async (count: number): Promise<void> => {
    while ((await all(storage.incompleteUploads(''))).length !== count) await new Promise(setImmediate)
  }
  const gate = { open: (): void => undefined }
  const opened = new Promise<void>(resolve => (gate.open = resolve))
  const source = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.alloc(PART_BYTES + 1)
    await opened
    yield Buffer.alloc(1)
  }
  const puts = [worker.put('kept', source()), worker.put('taken', source())]
  await within(under(2), 'two uploads')
  t.strictSame(new Set((await all(storage.incompleteUploads(''))).map(({ uploadId }) => uploadId)), witnessed)
  const [taken] = await all(storage.incompleteUploads('taken'))
  await storage.removeIncompleteUpload(taken!)
  gate.open()
  await t.rejects(puts[1]!, unavailable)
  t.equal((await puts[0]!).size, PART_BYTES + 2)
  t.equal(witnessed.size, 0)
  t.equal(await storage.stat('taken'), undefined)
})
