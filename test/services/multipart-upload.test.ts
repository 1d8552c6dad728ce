import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ObjectStorage } from '#src/services/object-storage.js'
import { PART_BYTES } from '#src/services/storage-client.js'
import { FakeClock } from '../helpers/fake-clock.js'

const access = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1', bucket: 'things' }
const BEGUN = '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>'

/** A storage that answers the start of an upload and its first part. The test decides about all other answers. */
async function hanging(t: Test): Promise<{ storage: ObjectStorage; asked: (what: string) => Promise<() => void> }> {
  const waiting = new Map<string, () => void>()
  const server = http.createServer((request, response) => {
    request.resume().once('end', () => {
      const what = `${request.method} ${request.url?.replace(/^[^?]*\??/, '')}`
      const answer = (): void => void response.setHeader('etag', '"e"').end(what === 'POST uploads' ? BEGUN : '')
      if (request.method === 'HEAD' || what === 'POST uploads' || what.endsWith('partNumber=1')) answer()
      else waiting.set(what, answer)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const storage = new ObjectStorage({ ...access, endpoint: `http://127.0.0.1:${port}` })
  t.teardown(() => {
    storage.close()
    server.close().closeAllConnections()
  })
  await storage.check()
  const asked = async (what: string): Promise<() => void> => {
    while (!waiting.has(what)) await nextTurn()
    return waiting.get(what)!
  }
  return { storage, asked }
}

/** The state of a promise, once all pending callbacks have run. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'open'
  promise.then(
    () => (state = 'done'),
    (error: unknown) => (state = (error as Error).name),
  )
  for (let i = 0; i < 50; i += 1) await nextTurn()
  return state
}

void t.test('a last part that hangs fails after 20 s, without waiting for the removal of the upload', async t => {
  const { storage, asked } = await hanging(t)
  const clock = new FakeClock(t)
  const put = storage.put('k', [Buffer.alloc(PART_BYTES + 1)])
  await asked('PUT uploadId=u&partNumber=2')
  clock.advance(19_999)
  t.equal(await stateOf(put), 'open')
  clock.advance(1)
  t.equal(await stateOf(put), 'StorageUnavailableError')
  await asked('DELETE uploadId=u')
})

void t.test('the last part and the completion of an upload share 20 s', async t => {
  const { storage, asked } = await hanging(t)
  const clock = new FakeClock(t)
  const put = storage.put('k', [Buffer.alloc(PART_BYTES + 1)])
  const answer = await asked('PUT uploadId=u&partNumber=2')
  clock.advance(15_000)
  answer()
  await asked('POST uploadId=u')
  clock.advance(4_999)
  t.equal(await stateOf(put), 'open')
  clock.advance(1)
  t.equal(await stateOf(put), 'StorageUnavailableError')
})
