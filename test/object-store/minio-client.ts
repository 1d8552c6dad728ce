import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'
import { ObjectStorage } from '#src/services/object-storage.js'
import type { S3ServerKind } from '../helpers/s3-servers.js'
import { connectMinio } from './s3-clients.js'
import { sendRaw } from './signed-request.js'

/** The requirements of Outpost's own client, beyond those of every client. */
export async function minioClientSuite(t: Test, kind: S3ServerKind): Promise<void> {
  const server = await kind.start(t.testdir())
  t.teardown(() => server.stop())
  const client = connectMinio(server)
  await client.makeBucket('bucket')

  await t.test('a stream of unknown length goes up in parts and comes down whole', async t => {
    const pieces = Array.from({ length: 11 }, () => randomBytes(1 << 20))
    await client.putObject('bucket', 'stream', Readable.from(pieces), undefined, { 'x-amz-meta-from': 'a stream' })
    const stat = await client.statObject('bucket', 'stream')
    t.match(stat, { size: 11 << 20, metaData: { from: 'a stream' } })
    t.ok((await buffer(await client.getObject('bucket', 'stream'))).equals(Buffer.concat(pieces)))
    const part = await buffer(await client.getPartialObject('bucket', 'stream', (5 << 20) - 3, 6))
    t.ok(part.equals(Buffer.concat(pieces).subarray((5 << 20) - 3, (5 << 20) + 3)))
  })

  await t.test('an incomplete upload can be found and removed', async t => {
    await client.initiateNewMultipartUpload('bucket', 'incomplete', {})
    const found: string[] = []
    for await (const upload of client.listIncompleteUploads('bucket', 'incomplete', true)) {
      found.push((upload as { key: string }).key)
    }
    t.same(found, ['incomplete'])
    await client.removeIncompleteUpload('bucket', 'incomplete')
    for await (const upload of client.listIncompleteUploads('bucket', 'incomplete', true))
      t.fail(JSON.stringify(upload))
  })

  await t.test('incomplete uploads can be found by the beginning of their keys', async t => {
    const endpoint = `http://127.0.0.1:${server.port}`
    const storage = new ObjectStorage({ ...server, endpoint, bucket: 'bucket' })
    t.teardown(() => storage.close())
    for (const key of ['uploads/one', 'uploads/two', 'elsewhere/three']) {
      await client.initiateNewMultipartUpload('bucket', key, {})
    }
    const found: string[] = []
    for await (const upload of storage.incompleteUploads('uploads/')) {
      found.push(upload.key)
      await storage.removeIncompleteUpload(upload)
    }
    t.same(found.sort(), ['uploads/one', 'uploads/two'])
    for await (const upload of storage.incompleteUploads('uploads/')) t.fail(JSON.stringify(upload))
    await client.removeIncompleteUpload('bucket', 'elsewhere/three')
  })

  await t.test('presigned addresses work without the client', async t => {
    const path = (url: string): string => url.slice(`http://127.0.0.1:${server.port}`.length)
    const upload = await client.presignedPutObject('bucket', 'presigned ü', 60)
    t.equal((await sendRaw(server, 'PUT', path(upload), 'by anyone')).status, 200)
    const labels = { 'response-content-type': 'text/x-test' }
    const download = await client.presignedGetObject('bucket', 'presigned ü', 60, labels)
    const answer = await sendRaw(server, 'GET', path(download))
    t.match(answer, { status: 200, text: 'by anyone', headers: { 'content-type': 'text/x-test' } })
  })

  await t.test('more keys than fit on a page, written twenty at a time, are listed in order', async t => {
    const keys = Array.from({ length: 1_100 }, (_, index) => `many/${index}`)
    const waiting = [...keys]
    const writer = async (): Promise<void> => {
      for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) await client.putObject('bucket', key, key)
    }
    await Promise.all(Array.from({ length: 20 }, writer))
    const listed: string[] = []
    for await (const item of client.listObjectsV2('bucket', 'many/', true)) listed.push((item as { name: string }).name)
    t.same(listed, [...keys].sort())
    await client.removeObjects('bucket', keys)
    for await (const item of client.listObjectsV2('bucket', 'many/', true)) t.fail(JSON.stringify(item))
  })

  await t.test('an error has the code that the client looks at', async t => {
    await t.rejects(client.statObject('bucket', 'missing'), { code: 'NotFound' })
    await t.rejects(client.getObject('bucket', 'missing'), { code: 'NoSuchKey' })
    await t.rejects(client.listObjectsV2('missing', '', true).toArray(), { code: 'NoSuchBucket' })
    t.equal(await client.bucketExists('bucket'), true)
    t.equal(await client.bucketExists('missing'), false)
  })
}
