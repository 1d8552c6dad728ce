import { once } from 'node:events'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { storeAnswerTo, element, open, send, sendRaw } from './signed-request.js'
import { storeWithBucket } from './started-store.js'

async function startStore(t: Test, directory = t.testdir()) {
  const warnings: string[] = []
  const warn = (message: string): void => void warnings.push(message)
  return { ...(await storeWithBucket(t, { directory, warn })), warnings }
}

void t.test('a delete document of 2 MB of nothing is refused in little time and memory', async t => {
  const { endpoint } = await startStore(t)
  const size = (2 << 20) - 100
  const bodies = {
    ampersands: `<Delete><Object><Key>${'&'.repeat(size)}</Key></Object></Delete>`,
    'entities that do not end': `<Delete><Object><Key>${'&amp'.repeat(size / 4)}</Key></Object></Delete>`,
    'empty elements': `<Delete>${'<a/>'.repeat(size / 4)}</Delete>`,
    'nested elements': '<a>'.repeat(size / 3),
    spaces: `<Delete${' '.repeat(size)}`,
    attributes: `<Delete ${'a="" '.repeat(size / 5)}`,
  }
  for (const [name, body] of Object.entries(bodies)) {
    const before = process.resourceUsage().maxRSS
    const answer = await send(endpoint, { method: 'POST', path: '/bucket', query: { delete: '' }, body })
    t.match(answer, { status: 400, code: 'MalformedXML' }, name)
    // The test holds some copies of the body itself.
    t.ok(process.resourceUsage().maxRSS - before < 64 << 10, `${name} took less than 64 MiB`)
  }
})

void t.test('a delete document in pieces of one byte takes one buffer', async t => {
  const { endpoint } = await startStore(t)
  const document = `<Delete><Object><Key>${'k'.repeat(1000)}</Key></Object></Delete>`
  const body = Array.from(document, letter => `1\r\n${letter}\r\n`).join('') + '0\r\n\r\n'
  const answer = await send(endpoint, {
    method: 'POST',
    path: '/bucket',
    query: { delete: '' },
    body,
    contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: { 'x-amz-decoded-content-length': String(document.length) },
  })
  t.equal(answer.status, 200)
})

void t.test('a part that is sent while its bucket is removed is a 404', async t => {
  const directory = t.testdir()
  const { endpoint, warnings } = await startStore(t, directory)
  const path = '/bucket/key'
  const created = await send(endpoint, { method: 'POST', path, query: { uploads: '' } })
  const query = { uploadId: element(created.text, 'UploadId') ?? '', partNumber: '1' }
  const options = { method: 'PUT', path, query, contentSha256: 'UNSIGNED-PAYLOAD' }
  const request = open(endpoint, { ...options, headers: { 'content-length': '2000' } })
  request.setHeader('expect', '100-continue')
  request.flushHeaders()
  await once(request, 'continue')
  t.equal((await send(endpoint, { method: 'DELETE', path: '/bucket' })).status, 204)
  request.end(Buffer.alloc(2000))
  t.match(await storeAnswerTo(request), { status: 404, code: 'NoSuchBucket' })
  t.same(warnings, [])
})

void t.test('a part whose folder is lost is a fault, as long as its bucket is there', async t => {
  const directory = t.testdir()
  const { endpoint, warnings } = await startStore(t, directory)
  const path = '/bucket/key'
  const created = await send(endpoint, { method: 'POST', path, query: { uploads: '' } })
  const query = { uploadId: element(created.text, 'UploadId') ?? '', partNumber: '1' }
  await mkdir(join(directory, 'lost'))
  await rename(join(directory, 'buckets', 'bucket', 'uploads', query.uploadId), join(directory, 'lost', 'upload'))
  t.match(await send(endpoint, { method: 'PUT', path, query, body: 'x' }), { status: 500 })
  t.equal(warnings.length, 1)
})

void t.test('a presigned address of Signature Version 2 is refused with a hint at Version 4', async t => {
  const { endpoint } = await startStore(t)
  const path = '/bucket/key?AWSAccessKeyId=key&Expires=1900000000&Signature=c2lnbmF0dXJl'
  const answer = await sendRaw(endpoint, 'GET', path)
  t.match(answer, { status: 400, code: 'InvalidRequest', text: /AWS4-HMAC-SHA256/ })
  const header = { authorization: 'AWS key:c2lnbmF0dXJl' }
  t.match(await sendRaw(endpoint, 'GET', '/bucket/key', '', header), { status: 400, text: /AWS4-HMAC-SHA256/ })
})
