import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import t from 'tap'
import { s3Servers } from '../helpers/s3-servers.js'
import { storeAnswerTo, chunkedBody, element, elements, open, presign, send, sendRaw, sign } from './signed-request.js'

t.setTimeout(300_000)

/** Compares the raw answers of the embedded store with those of a real MinIO. Clients do not show these. */
for (const kind of s3Servers) {
  const missing = await kind.missing()
  await t.test(`the protocol of S3 holds on the ${kind.name} server`, { skip: missing ?? false }, async t => {
    const server = await kind.start(t.testdir())
    t.teardown(() => server.stop())
    const md5 = (data: Buffer | string): string => createHash('md5').update(data).digest('hex')
    const put = (key: string, body: Buffer | string, headers = {}) =>
      send(server, { method: 'PUT', path: `/bucket/${key}`, body, headers })
    const get = (key: string, headers = {}) => send(server, { path: `/bucket/${key}`, headers })
    t.equal((await send(server, { method: 'PUT', path: '/bucket' })).status, 200)

    await t.test('an object comes back with its headers and metadata', async t => {
      const kept = {
        'content-type': 'text/plain; charset=utf-8',
        'content-disposition': 'attachment; filename="a.txt"',
        'content-encoding': 'identity',
        'cache-control': 'max-age=60',
        'x-amz-meta-colour': 'blue',
      }
      const headers = { ...kept, 'content-md5': createHash('md5').update('hello').digest('base64') }
      const stored = await put('described', 'hello', headers)
      t.match(stored, { status: 200, headers: { etag: `"${md5('hello')}"` } })
      t.match(await get('described'), { status: 200, text: 'hello', headers: { ...kept, etag: stored.headers.etag } })
      const head = await send(server, { method: 'HEAD', path: '/bucket/described' })
      t.match(head, { status: 200, headers: { ...kept, 'content-length': '5' } })
      t.equal(head.body.length, 0)
    })

    await t.test('a signed query may set the headers of the answer', async t => {
      const query = { 'response-content-type': 'text/html', 'response-content-disposition': 'inline' }
      const answer = await send(server, { path: '/bucket/described', query })
      t.match(answer.headers, { 'content-type': 'text/html', 'content-disposition': 'inline' })
    })

    await t.test('a range is answered 206, and one beyond the object 416', async t => {
      await put('digits', '0123456789')
      const range = (range: string) => get('digits', { range })
      t.match(await range('bytes=2-4'), { status: 206, text: '234', headers: { 'content-range': 'bytes 2-4/10' } })
      t.match(await range('bytes=7-'), { status: 206, text: '789' })
      t.match(await range('bytes=-3'), { status: 206, text: '789' })
      t.match(await range('bytes=-30'), { status: 206, text: '0123456789' })
      t.match(await range('bytes=5-500'), { status: 206, text: '56789' })
      t.match(await range('bytes=10-'), { status: 416, code: 'InvalidRange' })
    })

    await t.test('a read whose conditions fail is answered 304 or 412', async t => {
      const etag = `"${md5('0123456789')}"`
      const old = 'Mon, 01 Jan 2001 00:00:00 GMT'
      const status = async (headers: Record<string, string>) => (await get('digits', headers)).status
      const modified = (await get('digits')).headers['last-modified'] ?? ''
      t.equal(await status({ 'if-match': etag }), 200)
      t.equal(await status({ 'if-match': '"other"' }), 412)
      t.equal(await status({ 'if-none-match': etag }), 304)
      t.equal(await status({ 'if-none-match': '"other"' }), 200)
      t.equal(await status({ 'if-modified-since': modified }), 304)
      t.equal(await status({ 'if-modified-since': old }), 200)
      t.equal(await status({ 'if-unmodified-since': old }), 412)
      t.equal(await status({ 'if-unmodified-since': modified }), 200)
    })

    await t.test('a conditional write makes an object once', async t => {
      const race = await Promise.all(
        Array.from({ length: 10 }, (_, index) => put('once', `writer ${index}`, { 'if-none-match': '*' })),
      )
      t.same(race.map(answer => answer.status).sort(), [200, ...Array<number>(9).fill(412)])
      const winner = race.findIndex(answer => answer.status === 200)
      t.equal((await get('once')).text, `writer ${winner}`)
    })

    await t.test('a body that was damaged on the way is refused and not stored', async t => {
      const wrongMd5 = await put('damaged', 'hello', { 'content-md5': createHash('md5').update('x').digest('base64') })
      t.match(wrongMd5, { status: 400, code: 'BadDigest' })
      const contentSha256 = createHash('sha256').update('something else').digest('hex')
      const wrongHash = await send(server, { method: 'PUT', path: '/bucket/damaged', body: 'hello', contentSha256 })
      t.match(wrongHash, { status: 400, code: 'XAmzContentSHA256Mismatch' })
      t.match(await get('damaged'), { status: 404, code: 'NoSuchKey' })
    })

    await t.test('a body that ends early stores nothing', async t => {
      const request = open(server, {
        method: 'PUT',
        path: '/bucket/short',
        headers: { 'content-length': '1000000' },
        contentSha256: 'UNSIGNED-PAYLOAD',
      })
      request.on('error', () => undefined)
      const closed = new Promise(resolve => request.once('close', resolve))
      request.write(Buffer.alloc(500_000), () => request.destroy())
      await closed
      t.equal((await get('short')).status, 404)
    })

    await t.test('a chunked body is stored only if every chunk is signed', async t => {
      const pieces = [randomBytes(65_536), randomBytes(65_536), randomBytes(1_000)]
      const plain = Buffer.concat(pieces)
      const chunked = async (path: string, spoil: (body: Buffer) => void) => {
        // The length of the encoding does not depend on the signatures in it.
        const options = {
          method: 'PUT',
          path,
          contentSha256: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
          headers: { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': String(plain.length) },
        }
        const length = chunkedBody(pieces, sign(server, options)).length
        const withLength = { ...options, headers: { ...options.headers, 'content-length': String(length) } }
        const seed = sign(server, withLength)
        const body = chunkedBody(pieces, seed)
        spoil(body)
        return sendRaw(server, 'PUT', seed.path, body, seed.headers)
      }
      t.equal((await chunked('/bucket/chunked', () => undefined)).status, 200)
      const stored = await get('chunked')
      t.ok(stored.body.equals(plain))
      t.notMatch(stored.headers['content-encoding'], /aws-chunked/)
      const spoilt = await chunked('/bucket/spoilt', body => void (body[70_000]! ^= 1))
      t.match(spoilt, { status: 403, code: 'SignatureDoesNotMatch' })
      t.equal((await get('spoilt')).status, 404)
    })

    await t.test('a checksum in the trailer is verified', async t => {
      const trailing = async (checksum: string) => {
        const body = `5\r\nhello\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`
        return send(server, {
          method: 'PUT',
          path: '/bucket/trailer',
          body,
          contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          headers: { 'x-amz-trailer': 'x-amz-checksum-crc32', 'x-amz-decoded-content-length': '5' },
        })
      }
      t.equal((await trailing('AAAAAA==')).status, 400)
      t.equal((await get('trailer')).status, 404)
      t.equal((await trailing('NhCmhg==')).status, 200)
      t.equal((await get('trailer')).text, 'hello')
    })

    await t.test('a request without a valid signature is refused', async t => {
      const path = '/bucket/described'
      t.match(await sendRaw(server, 'GET', path), { status: 403, code: 'AccessDenied' })
      t.match(await send(server, { path, secretKey: 'guess' }), { status: 403, code: 'SignatureDoesNotMatch' })
      const stranger = { ...server, accessKey: 'stranger' }
      t.match(await send(stranger, { path }), { status: 403, code: 'InvalidAccessKeyId' })
      const signedAt = new Date(Date.now() - 16 * 60_000)
      t.match(await send(server, { path, signedAt }), { status: 403, code: 'RequestTimeTooSkewed' })
      const { headers } = sign(server, { path })
      t.match(await sendRaw(server, 'GET', '/bucket/digits', '', headers), {
        status: 403,
        code: 'SignatureDoesNotMatch',
      })
      t.match(await sendRaw(server, 'DELETE', path, '', headers), { status: 403, code: 'SignatureDoesNotMatch' })
      t.equal((await get('described')).status, 200)
    })

    await t.test('a presigned address serves until it expires, and for its method only', async t => {
      const path = '/bucket/presigned'
      const upload = presign(server, { method: 'PUT', path, expires: 60 })
      t.equal((await sendRaw(server, 'PUT', upload, 'by anyone')).status, 200)
      const download = presign(server, { path, expires: 60 })
      t.match(await sendRaw(server, 'GET', download), { status: 200, text: 'by anyone' })
      t.equal((await sendRaw(server, 'DELETE', download)).status, 403)
      t.equal((await sendRaw(server, 'GET', `${download}0`)).status, 403)
      const expired = presign(server, { path, expires: 60, signedAt: new Date(Date.now() - 61_000) })
      t.match(await sendRaw(server, 'GET', expired), { status: 403, code: 'AccessDenied' })
    })

    await t.test('a multipart upload needs its parts in order, large enough, and as they were sent', async t => {
      const path = '/bucket/parts'
      const created = await send(server, { method: 'POST', path, query: { uploads: '' } })
      const uploadId = element(created.text, 'UploadId') ?? ''
      const bodies = [randomBytes(5 << 20), randomBytes(5 << 20), randomBytes(10)]
      const etags: string[] = []
      for (const [index, body] of bodies.entries()) {
        const query = { partNumber: String(index + 1), uploadId }
        const part = await send(server, { method: 'PUT', path, query, body })
        etags.push(part.headers.etag ?? '')
      }
      t.same(etags, bodies.map(body => `"${md5(body)}"`)) // prettier-ignore
      const listed = await send(server, { path, query: { uploadId } })
      t.same(elements(listed.text, 'PartNumber'), ['1', '2', '3'])
      const uploads = await send(server, { path: '/bucket', query: { uploads: '', prefix: 'parts' } })
      t.same(elements(uploads.text, 'UploadId'), [uploadId])

      const complete = (numbers: readonly number[], tags = etags) => {
        const parts = numbers.map(n => `<Part><PartNumber>${n}</PartNumber><ETag>${tags[n - 1]}</ETag></Part>`)
        const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
        return send(server, { method: 'POST', path, query: { uploadId }, body })
      }
      t.match(await complete([2, 1]), { status: 400, code: 'InvalidPartOrder' })
      t.match(await complete([1, 3, 4]), { status: 400, code: 'InvalidPart' })
      t.match(await complete([1, 2], [etags[1] ?? '', etags[0] ?? '']), { status: 400, code: 'InvalidPart' })
      t.equal((await get('parts')).status, 404)
      const done = await complete([1, 2, 3])
      const digests = Buffer.concat(bodies.map(body => createHash('md5').update(body).digest()))
      t.equal(done.status, 200)
      const whole = await get('parts')
      t.equal(whole.headers.etag, `"${md5(digests)}-3"`)
      t.ok(whole.body.equals(Buffer.concat(bodies)))
      const across = await get('parts', { range: `bytes=${(5 << 20) - 5}-${(5 << 20) + 4}` })
      t.ok(across.body.equals(Buffer.concat(bodies).subarray((5 << 20) - 5, (5 << 20) + 5)))
      const again = await complete([1, 2, 3])
      if (kind.name === 'embedded') t.equal(again.text, done.text, 'a second completion has the same answer')
      t.match(await complete([1, 2]), { status: 404, code: 'NoSuchUpload' })
    })

    await t.test('a multipart upload with a small part in the middle is refused, and can be aborted', async t => {
      const path = '/bucket/small-parts'
      const created = await send(server, { method: 'POST', path, query: { uploads: '' } })
      const uploadId = element(created.text, 'UploadId') ?? ''
      const parts: string[] = []
      for (const partNumber of ['1', '2']) {
        const { headers } = await send(server, { method: 'PUT', path, query: { partNumber, uploadId }, body: 'small' })
        parts.push(`<Part><PartNumber>${partNumber}</PartNumber><ETag>${headers.etag}</ETag></Part>`)
      }
      const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
      const refused = await send(server, { method: 'POST', path, query: { uploadId }, body })
      t.match(refused, { status: 400, code: 'EntityTooSmall' })
      t.equal((await send(server, { method: 'DELETE', path, query: { uploadId } })).status, 204)
      const late = await send(server, { method: 'PUT', path, query: { partNumber: '1', uploadId }, body: 'late' })
      t.match(late, { status: 404, code: 'NoSuchUpload' })
    })

    await t.test('listings go by pages in byte order, and both versions see the same', async t => {
      t.equal((await send(server, { method: 'PUT', path: '/listing' })).status, 200)
      const keys = ['a', 'b/1', 'b/2', 'b/c/3', 'd', 'd&e', 'd+f', 'é', '\uFFFD', '😀']
      for (const key of keys) await send(server, { method: 'PUT', path: `/listing/${key}`, body: key })
      const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      const decoded = (text: string, name: string) => elements(text, name).map(decodeURIComponent)

      const v2: string[] = []
      let token: string | undefined
      do {
        const more = token === undefined ? {} : { 'continuation-token': token }
        const query = { 'list-type': '2', 'max-keys': '3', 'encoding-type': 'url', ...more }
        const { text } = await send(server, { path: '/listing', query })
        v2.push(...decoded(text, 'Key'))
        token = element(text, 'NextContinuationToken')
      } while (token !== undefined)
      t.same(v2, byBytes)

      const v1: string[] = []
      let marker = ''
      for (let truncated = true; truncated; marker = v1.at(-1) ?? '') {
        const query = { 'max-keys': '4', 'encoding-type': 'url', marker }
        const { text } = await send(server, { path: '/listing', query })
        v1.push(...decoded(text, 'Key'))
        truncated = element(text, 'IsTruncated') === 'true'
      }
      t.same(v1, byBytes)

      const grouped = await send(server, {
        path: '/listing',
        query: { 'list-type': '2', delimiter: '/', prefix: 'b/' },
      })
      t.same(elements(grouped.text, 'Key'), ['b/1', 'b/2'])
      t.same(elements(grouped.text, 'Prefix'), ['b/', 'b/c/'])
      const after = await send(server, {
        path: '/listing',
        query: { 'list-type': '2', 'start-after': 'd', prefix: 'd' },
      })
      t.same(elements(after.text, 'Key'), ['d&amp;e', 'd+f'])
    })

    await t.test('many are deleted at once, and one that was never there counts as deleted', async t => {
      const keys = ['d&amp;e', 'd+f', 'never-there']
      const objects = keys.map(key => `<Object><Key>${key}</Key></Object>`).join('')
      const body = `<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}</Delete>`
      const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
      const answer = await send(server, { method: 'POST', path: '/listing', query: { delete: '' }, body, headers })
      t.same(elements(answer.text, 'Key').sort(), [...keys].sort())
      t.equal((await send(server, { path: '/listing/d&e' })).status, 404)
    })

    await t.test('a copy is made only if its conditions hold', async t => {
      await put('source ü', 'copied', { 'x-amz-meta-kept': 'yes' })
      const copy = (headers: Record<string, string>) => {
        const source = { 'x-amz-copy-source': `/bucket/${encodeURIComponent('source ü')}` }
        return send(server, { method: 'PUT', path: '/bucket/target', headers: { ...source, ...headers } })
      }
      t.match(await copy({ 'x-amz-copy-source-if-match': '"other"' }), { status: 412 })
      t.match(await copy({}), { status: 200 })
      t.match(await get('target'), { text: 'copied', headers: { 'x-amz-meta-kept': 'yes' } })
      const replace = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-new': 'yes' }
      t.match(await copy(replace), { status: 200 })
      const replaced = await get('target')
      t.equal(replaced.headers['x-amz-meta-new'], 'yes')
      t.equal(replaced.headers['x-amz-meta-kept'], undefined)
    })

    await t.test('errors carry the codes that clients look for', async t => {
      t.match(await send(server, { path: '/no-such-bucket/key' }), { status: 404, code: 'NoSuchBucket' })
      t.match(await send(server, { method: 'PUT', path: '/bucket' }), { status: 409, code: 'BucketAlreadyOwnedByYou' })
      t.match(await send(server, { method: 'DELETE', path: '/bucket' }), { status: 409, code: 'BucketNotEmpty' })
      t.match(await send(server, { method: 'PUT', path: '/Bad_Name' }), { status: 400, code: 'InvalidBucketName' })
      const body = '<Delete><Object><Key>'
      const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
      const malformed = await send(server, { method: 'POST', path: '/bucket', query: { delete: '' }, body, headers })
      t.match(malformed, { status: 400, code: 'MalformedXML' })
      const upload = { partNumber: '1', uploadId: 'x' }
      const noUpload = await send(server, { method: 'PUT', path: '/bucket/key', query: upload, body: 'x' })
      t.match(noUpload, { status: 404, code: 'NoSuchUpload' })
      t.equal((await send(server, { method: 'DELETE', path: '/bucket/never-there' })).status, 204)
    })

    await t.test('a client that expects 100-continue is asked only for a body that will be stored', async t => {
      const options = { method: 'PUT', headers: { 'content-length': '5' }, contentSha256: 'UNSIGNED-PAYLOAD' }
      const unsignedHeaders = { expect: '100-continue' }
      const welcome = open(server, { ...options, path: '/bucket/asked', unsignedHeaders })
      welcome.flushHeaders()
      await once(welcome, 'continue')
      welcome.end('hello')
      t.equal((await storeAnswerTo(welcome)).status, 200)
    })
  })
}
