import t, { type Test } from 'tap'
import { FreeSpace } from '#src/object-store/disk/free-space.js'
import { ObjectStore, type ObjectStoreOptions } from '#src/object-store/object-store.js'
import { temporaryFolder } from '../helpers/harness.js'
import { send, type Endpoint } from './signed-request.js'
import { credentials, startedStore } from './started-store.js'

const GIB = 1024 ** 3
const BLOCK = 4_096
const full = { status: 507, code: 'XMinioStorageFull' }

function disk(bytes: number, freeBytes: number, minBytes?: number): FreeSpace {
  const report = { blocks: bytes / BLOCK, bavail: freeBytes / BLOCK, bsize: BLOCK }
  return new FreeSpace('/', minBytes, () => Promise.resolve(report))
}

void t.test('the floor is the smaller of 1 GiB and 5 % of the file system, or what is set', async t => {
  await disk(100 * GIB, GIB).require()
  await t.rejects(disk(100 * GIB, GIB - BLOCK).require(), { code: 'XMinioStorageFull' })
  await disk(10 * GIB, GIB / 2).require()
  await t.rejects(disk(10 * GIB, GIB / 2 - BLOCK).require(), { code: 'XMinioStorageFull' })
  await disk(100 * GIB, BLOCK, BLOCK).require()
  await t.rejects(disk(100 * GIB, 2 * GIB, 3 * GIB).require(), { code: 'XMinioStorageFull' })
  await disk(100 * GIB, 0, 0).require()
})

async function start(t: Test, options: Partial<ObjectStoreOptions>): Promise<Endpoint> {
  return (await startedStore(t, options)).endpoint
}

void t.test('under the floor nothing is stored, and stored objects can be read and deleted', async t => {
  const directory = temporaryFolder(t)
  const before = new ObjectStore({ ...credentials, directory, port: 0 })
  const roomy = { ...credentials, port: (await before.start()).port }
  for (const path of ['/bucket', '/bucket/kept', '/bucket/gone']) {
    t.equal((await send(roomy, { method: 'PUT', path, body: Buffer.from('') })).status, 200)
  }
  const begun = await send(roomy, { method: 'POST', path: '/bucket/parts', query: { uploads: '' } })
  const query = { uploadId: /<UploadId>(\w+)</.exec(begun.text)?.[1] ?? '' }
  await before.stop()

  const endpoint = await start(t, { directory, minFreeBytes: Number.MAX_SAFE_INTEGER })
  t.match(await send(endpoint, { method: 'PUT', path: '/bucket/new', body: Buffer.from('x') }), full)
  t.match(await send(endpoint, { method: 'PUT', path: '/bucket/kept', body: Buffer.from('x') }), full)
  t.match(await send(endpoint, { method: 'POST', path: '/bucket/more', query: { uploads: '' } }), full)
  const part = { method: 'PUT', path: '/bucket/parts', query: { partNumber: '1', ...query }, body: Buffer.from('x') }
  t.match(await send(endpoint, part), full)
  t.equal((await send(endpoint, { method: 'DELETE', path: '/bucket/parts', query })).status, 204)
  t.equal((await send(endpoint, { path: '/bucket/kept' })).status, 200)
  t.equal((await send(endpoint, { method: 'DELETE', path: '/bucket/gone' })).status, 204)
  t.equal((await send(endpoint, { path: '/bucket/gone' })).status, 404)
})
