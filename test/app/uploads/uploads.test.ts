import { once } from 'node:events'
import net from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { ObjectStore } from '#src/object-store/object-store.js'
import { ObjectStorage } from '#src/services/object-storage.js'
import { nameOf, Uploads, UploadsBusyError, UPLOAD_PREFIX, type IncomingFile } from '#src/app/uploads/uploads.js'
import { noQuota } from '../../helpers/no-quota.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { temporaryFolder } from '../../helpers/harness.js'

const access = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1' }
const store = new ObjectStore({ ...access, directory: temporaryFolder(t), port: 0 })
const { port } = await store.start()
t.teardown(() => store.stop())

/** A proxy that passes every request. While `cut` is set, it drops the answers to a PUT or POST with a body. */
class DeafProxy {
  cut = false
  readonly #server = net.createServer(client => {
    const upstream = net.connect(port, '127.0.0.1')
    let writing = false
    client.on('data', (data: Buffer) => {
      if (/^(PUT|POST) \/things\/uploads/.test(data.toString('latin1', 0, 40))) writing = true
      else if (/^[A-Z]+ \//.test(data.toString('latin1', 0, 40))) writing = false
      upstream.write(data)
    })
    upstream.on('data', (data: Buffer) => {
      if (this.cut && writing) client.destroy()
      else client.write(data)
    })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => undefined).on('close', () => to.destroy())
    }
  })

  async listen(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => this.#server.close())
    return `http://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`
  }
}

function storageAt(endpoint: string): ObjectStorage {
  const storage = new ObjectStorage({ ...access, bucket: 'things', endpoint })
  t.teardown(() => storage.close())
  return storage
}

const storage = storageAt(`http://127.0.0.1:${port}`)
await storage.check()

async function visible(): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of storage.list(UPLOAD_PREFIX)) keys.push(key)
  return keys
}

function file(...chunks: Buffer[]): IncomingFile {
  const bytes = async function* (): AsyncGenerator<Buffer> {
    await nextTurn()
    yield* chunks
  }
  return { name: 'a.bin', declaredType: 'application/octet-stream', minBytes: 0, bytes: bytes() }
}

void t.test('a file whose storing was not confirmed is removed again', async t => {
  const proxy = new DeafProxy()
  const uploads = new Uploads(storageAt(await proxy.listen()), noQuota)
  const whole = await uploads.store('alice', file(Buffer.from('abc')))
  t.strictSame(await visible(), [UPLOAD_PREFIX + whole.key])

  proxy.cut = true
  await t.rejects(uploads.store('alice', file(Buffer.from('lost'))), { name: 'StorageUnavailableError' })
  proxy.cut = false
  while ((await visible()).length > 1) await nextTurn()
  t.strictSame(await visible(), [UPLOAD_PREFIX + whole.key])
  await uploads.remove('alice', whole.key)
})

void t.test('lone surrogates in a file name are replaced', async t => {
  const uploads = new Uploads(storage, noQuota)
  for (const [name, kept] of [
    ['a\ud800.bin', 'a\ufffd.bin'],
    ['\udc00', '\ufffd'],
    ['😀.bin', '😀.bin'],
  ] as const) {
    const { key } = await uploads.store('alice', { ...file(Buffer.from('abc')), name })
    t.equal(nameOf((await uploads.stat(key))!), kept)
    await uploads.remove('alice', key)
  }
})

void t.test('clients that have sent nothing yet hold no place', async t => {
  const uploads = new Uploads(storage, noQuota)
  let give: (() => void) | undefined
  const open = new Promise<void>(resolve => (give = resolve))
  const stalled = Array.from({ length: 64 }, () => {
    const bytes = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('a')
      await open
    }
    return uploads.store('mallory', { name: undefined, declaredType: 'text/plain', minBytes: 0, bytes: bytes() })
  })
  const { key } = await uploads.store('alice', file(Buffer.from('abc')))
  t.ok((await uploads.stat(key)) !== undefined)
  give?.()
  const stored = await Promise.all(stalled)
  for (const { key: one } of [...stored, { key }]) await uploads.remove('alice', one)
})

void t.test('64 uploads of one account that stall leave places for others', async t => {
  const hold = new Promise<never>(() => undefined)
  const storing: string[] = []
  const endless = {
    putSteady: async (_key: string, source: AsyncIterable<Buffer>, { metadata }: { metadata: { owner: string } }) => {
      storing.push(metadata.owner)
      if (metadata.owner === 'mallory') await hold
      let size = 0
      for await (const chunk of source) size += chunk.length
      return { size }
    },
  }
  const clock = new FakeClock(t)
  const uploads = new Uploads(endless as unknown as ObjectStorage, noQuota)
  const stalled = Array.from({ length: 64 }, () => uploads.store('mallory', file(Buffer.alloc(16))))
  const outcomes = Promise.all(stalled.slice(16).map(upload => t.rejects(upload, UploadsBusyError)))
  for (let i = 0; i < 20; i += 1) await nextTurn()
  t.equal(storing.length, 16, 'half of the places')
  for (let i = 0; i < 8; i += 1) t.match(await uploads.store(`user-${i}`, file(Buffer.alloc(16))), { size: 16 })
  clock.advance(5_000)
  await outcomes
})

void t.test('an upload that finds all places taken is refused after five seconds', async t => {
  const clock = new FakeClock(t)
  let ended = 0
  const full = new Uploads({ putSteady: () => new Promise(() => undefined) } as unknown as ObjectStorage, noQuota)
  for (let i = 0; i < 32; i += 1) void full.store(`alice-${i}`, file(Buffer.alloc(16)))
  const bytes = async function* (): AsyncGenerator<Buffer> {
    try {
      await nextTurn()
      yield Buffer.alloc(16)
      yield Buffer.alloc(16)
    } finally {
      ended += 1
    }
  }
  const late = full.store('bob', { name: undefined, declaredType: 'text/plain', minBytes: 0, bytes: bytes() })
  const refused = t.rejects(late, UploadsBusyError)
  for (let i = 0; i < 20; i += 1) await nextTurn()
  clock.advance(4_999)
  await nextTurn()
  t.equal(ended, 0, 'not yet')
  clock.advance(1)
  await refused
  t.equal(ended, 1, 'and what it sent is read no further')
})
