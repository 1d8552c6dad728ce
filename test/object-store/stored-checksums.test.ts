import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { ALGORITHMS, CHECKSUMS, type Algorithm } from '#src/object-store/request/checksums.js'
import { element, elements, presign, send, sendRaw, type StoreAnswer, type Endpoint } from './signed-request.js'
import { storeWithBucket } from './started-store.js'

const MIB = 1 << 20
const MODE = { 'x-amz-checksum-mode': 'ENABLED' }

async function startStore(t: Test, directory = t.testdir()) {
  const { store, endpoint } = await storeWithBucket(t, { directory })
  const get = (key: string, headers = {}, query = {}) => send(endpoint, { path: `/bucket/${key}`, headers, query })
  const put = (key: string, body: string | Buffer, headers = {}) =>
    send(endpoint, { method: 'PUT', path: `/bucket/${key}`, body, headers })
  return { store, endpoint, directory, get, put }
}

function digest(algorithm: Algorithm, ...pieces: (string | Buffer)[]): string {
  const checksum = CHECKSUMS[algorithm]()
  for (const piece of pieces) checksum.update(Buffer.from(piece as Buffer))
  return checksum.digest()
}

/** An upload in parts, each with the checksum of the algorithm, if there is one. */
async function upload(
  endpoint: Endpoint,
  key: string,
  bodies: readonly Buffer[],
  algorithm?: Algorithm,
  type?: string,
) {
  const path = `/bucket/${key}`
  const named = algorithm ? { 'x-amz-checksum-algorithm': algorithm.toUpperCase() } : {}
  const headers: Record<string, string> = { ...named, ...(type === undefined ? {} : { 'x-amz-checksum-type': type }) }
  const created = await send(endpoint, { method: 'POST', path, query: { uploads: '' }, headers })
  const uploadId = element(created.text, 'UploadId') ?? ''
  const parts: StoreAnswer[] = []
  for (const [index, body] of bodies.entries()) {
    const query = { uploadId, partNumber: String(index + 1) }
    const own = algorithm ? { [`x-amz-checksum-${algorithm}`]: digest(algorithm, body) } : {}
    parts.push(await send(endpoint, { method: 'PUT', path, query, body, headers: own }))
  }
  const complete = (headers: Record<string, string> = {}, more: (index: number) => string = () => '') => {
    const listed = parts.map((part, index) => {
      return `<Part><PartNumber>${index + 1}</PartNumber><ETag>${part.headers.etag}</ETag>${more(index)}</Part>`
    })
    const body = `<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`
    return send(endpoint, { method: 'POST', path, query: { uploadId }, body, headers })
  }
  return { created, parts, uploadId, complete }
}

void t.test('a checksum is verified, stored, and returned to clients that ask for it', async t => {
  const { endpoint, get, put, store, directory } = await startStore(t)
  for (const algorithm of ALGORITHMS) {
    const name = `x-amz-checksum-${algorithm}`
    const value = digest(algorithm, 'content')
    t.match(await put('key', 'content', { [name]: digest(algorithm, 'other') }), { status: 400, code: 'BadDigest' })
    const stored = await put(algorithm, 'content', { [name]: value })
    t.match(stored, { status: 200, headers: { [name]: value, 'x-amz-checksum-type': 'FULL_OBJECT' } })
    t.match(await get(algorithm, MODE), { text: 'content', headers: { [name]: value } })
    const head = await send(endpoint, { method: 'HEAD', path: `/bucket/${algorithm}`, headers: MODE })
    t.equal(head.headers[name], value)
    t.equal((await get(algorithm)).headers[name], undefined, 'nobody asked')
    t.equal((await get(algorithm, { ...MODE, range: 'bytes=1-2' })).headers[name], undefined, 'not that of a range')
  }
  t.equal((await get('key')).status, 404)
  await store.stop()
  const again = await startStore(t, directory)
  t.equal((await again.get('crc64nvme', MODE)).headers['x-amz-checksum-crc64nvme'], digest('crc64nvme', 'content'))
})

void t.test('a checksum in the trailer is stored', async t => {
  const { endpoint, get } = await startStore(t)
  const value = digest('crc64nvme', 'hello')
  const stored = await send(endpoint, {
    method: 'PUT',
    path: '/bucket/key',
    body: `5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:${value}\r\n\r\n`,
    contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: { 'x-amz-trailer': 'x-amz-checksum-crc64nvme', 'x-amz-decoded-content-length': '5' },
  })
  t.equal(stored.status, 200)
  t.equal((await get('key', MODE)).headers['x-amz-checksum-crc64nvme'], value)
})

void t.test('checksums that cannot be kept are refused', async t => {
  const { get, put } = await startStore(t)
  const [crc32, sha1] = [digest('crc32', 'x'), digest('sha1', 'x')]
  const two = { 'x-amz-checksum-crc32': crc32, 'x-amz-checksum-sha1': sha1 }
  t.match(await put('key', 'x', two), { status: 400, code: 'InvalidRequest' })
  const other = { 'x-amz-checksum-crc32': crc32, 'x-amz-sdk-checksum-algorithm': 'SHA1' }
  t.match(await put('key', 'x', other), { status: 400, code: 'InvalidRequest' })
  t.match(await put('key', 'x', { 'x-amz-trailer': 'x-amz-checksum-xxhash3' }), { status: 501 })
  t.equal((await get('key')).status, 404)
})

void t.test('a copy keeps the kind of checksum, or gets the one that is asked for', async t => {
  const { endpoint, get, put } = await startStore(t)
  await put('source', 'content', { 'x-amz-checksum-crc32c': digest('crc32c', 'content') })
  const copy = (key: string, headers = {}) => {
    const source = { 'x-amz-copy-source': '/bucket/source', ...headers }
    return send(endpoint, { method: 'PUT', path: `/bucket/${key}`, headers: source })
  }
  t.equal(element((await copy('same')).text, 'ChecksumCRC32C'), digest('crc32c', 'content'))
  t.equal((await get('same', MODE)).headers['x-amz-checksum-crc32c'], digest('crc32c', 'content'))
  await copy('other', { 'x-amz-checksum-algorithm': 'SHA256' })
  t.equal((await get('other', MODE)).headers['x-amz-checksum-sha256'], digest('sha256', 'content'))
  t.match(await copy('none', { 'x-amz-checksum-algorithm': 'MD4' }), { status: 501 })
})

void t.test('an object of parts has the checksum of all its bytes, or of the checksums of its parts', async t => {
  const { endpoint, get } = await startStore(t)
  const bodies = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(1234)]
  for (const algorithm of ['crc32', 'crc32c', 'crc64nvme'] as const) {
    const name = `x-amz-checksum-${algorithm}`
    const { created, parts, complete } = await upload(endpoint, algorithm, bodies, algorithm, 'FULL_OBJECT')
    t.equal(created.headers['x-amz-checksum-type'], 'FULL_OBJECT')
    t.equal(parts[0]?.headers[name], digest(algorithm, bodies[0] ?? ''))
    const whole = digest(algorithm, ...bodies)
    t.match(await complete({ [name]: digest(algorithm, 'other') }), { status: 400, code: 'BadDigest' })
    t.match(await complete({ 'x-amz-checksum-type': 'COMPOSITE' }), { status: 400, code: 'InvalidRequest' })
    const done = await complete({ [name]: whole, 'x-amz-checksum-type': 'FULL_OBJECT' })
    t.equal(element(done.text, `Checksum${algorithm.toUpperCase()}`), whole)
    const answer = await get(algorithm, MODE)
    t.match(answer.headers, { [name]: whole, 'x-amz-checksum-type': 'FULL_OBJECT' })
  }
  const raw = bodies.map(body => Buffer.from(digest('sha256', body), 'base64'))
  const composite = `${digest('sha256', ...raw)}-3`
  const { complete } = await upload(endpoint, 'composite', bodies, 'sha256')
  t.match(await complete({ 'x-amz-checksum-sha256': digest('sha256', 'other') }), { code: 'BadDigest' })
  t.equal((await complete({ 'x-amz-checksum-sha256': composite })).status, 200)
  t.match((await get('composite', MODE)).headers, {
    'x-amz-checksum-sha256': composite,
    'x-amz-checksum-type': 'COMPOSITE',
  })
})

void t.test('everything that a completion says must be true', async t => {
  const { endpoint, get } = await startStore(t)
  const bodies = [randomBytes(5 * MIB), randomBytes(10)]
  const { complete, uploadId } = await upload(endpoint, 'key', bodies, 'crc32')
  const refused = { status: 400 }
  t.match(await complete({ 'x-amz-mp-object-size': String(5 * MIB) }), { ...refused, code: 'InvalidRequest' })
  t.match(await complete({ 'x-amz-mp-object-size': 'all' }), { ...refused, code: 'InvalidArgument' })
  const wrong = (): string => `<ChecksumCRC32>${digest('crc32', 'other')}</ChecksumCRC32>`
  t.match(await complete({}, wrong), { ...refused, code: 'InvalidPart' })
  t.match(await complete({}, () => '<ChecksumSHA1>x</ChecksumSHA1>'), { ...refused, code: 'InvalidPart' })
  t.match(await complete({}, () => '<ChecksumMD4>x</ChecksumMD4>'), { status: 501 })
  t.match(await complete({ 'x-amz-checksum-sha1': digest('sha1', 'x') }), { ...refused, code: 'InvalidRequest' })
  const query = { uploadId, partNumber: '3' }
  const sha1 = { 'x-amz-checksum-sha1': digest('sha1', 'part') }
  const part = await send(endpoint, { method: 'PUT', path: '/bucket/key', query, body: 'part', headers: sha1 })
  t.match(part, { ...refused, code: 'InvalidRequest' }, 'the upload has another algorithm')
  t.equal((await get('key')).status, 404)
  const listed = await send(endpoint, { path: '/bucket/key', query: { uploadId } })
  t.same(elements(listed.text, 'ChecksumCRC32'), bodies.map(body => digest('crc32', body))) // prettier-ignore
  const right = (index: number): string => `<ChecksumCRC32>${digest('crc32', bodies[index] ?? '')}</ChecksumCRC32>`
  t.equal((await complete({ 'x-amz-mp-object-size': String(5 * MIB + 10) }, right)).status, 200)

  const create = (headers: Record<string, string>) =>
    send(endpoint, { method: 'POST', path: '/bucket/x', query: { uploads: '' }, headers })
  t.match(await create({ 'x-amz-checksum-algorithm': 'SHA1', 'x-amz-checksum-type': 'FULL_OBJECT' }), refused)
  t.match(await create({ 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' }), refused)
  t.match(await create({ 'x-amz-checksum-type': 'FULL_OBJECT' }), refused)
  t.match(await create({ 'x-amz-checksum-algorithm': 'MD4' }), { status: 501 })
})

void t.test('a completion that is asked for again has the same answer, as long as the object is there', async t => {
  const { endpoint, put, store, directory } = await startStore(t)
  const { complete } = await upload(endpoint, 'key', [randomBytes(5 * MIB), randomBytes(5)], 'crc64nvme')
  const answers = await Promise.all([complete(), complete(), complete({ 'if-none-match': '*' })])
  t.same(answers.map(answer => answer.status), [200, 200, 200]) // prettier-ignore
  t.equal(new Set(answers.map(answer => answer.text)).size, 1)
  const other = await upload(endpoint, 'key2', [randomBytes(5)])
  t.match(await other.complete({ 'if-match': '"x"' }), { status: 404, code: 'NoSuchKey' })
  await store.stop()
  const again = await startStore(t, directory)
  Object.assign(endpoint, again.endpoint)
  t.equal((await complete()).text, answers[0].text, 'after a start')
  await put('key', 'replaced')
  t.match(await complete(), { status: 404, code: 'NoSuchUpload' })
})

void t.test('an object can be read part by part', async t => {
  const { endpoint, get, put } = await startStore(t)
  const bodies = [randomBytes(5 * MIB), randomBytes(6 * MIB), randomBytes(7)]
  await (await upload(endpoint, 'parts', bodies, 'crc32')).complete()
  for (const [index, body] of bodies.entries()) {
    const part = await get('parts', MODE, { partNumber: String(index + 1) })
    t.ok(part.body.equals(body))
    t.match(part, { status: 206, headers: { 'x-amz-mp-parts-count': '3', 'content-length': String(body.length) } })
    t.equal(part.headers['x-amz-checksum-crc32'], digest('crc32', body))
  }
  const head = await send(endpoint, { method: 'HEAD', path: '/bucket/parts', query: { partNumber: '2' } })
  const range = `bytes ${5 * MIB}-${11 * MIB - 1}/${11 * MIB + 7}`
  t.match(head, { status: 206, headers: { 'x-amz-mp-parts-count': '3', 'content-range': range } })
  t.match(await get('parts', {}, { partNumber: '4' }), { status: 416, code: 'InvalidPartNumber' })
  t.match(await get('parts', {}, { partNumber: '0' }), { status: 400, code: 'InvalidArgument' })
  t.match(await get('parts', { range: 'bytes=0-1' }, { partNumber: '1' }), { status: 400, code: 'InvalidRequest' })

  await put('plain', 'content')
  const plain = await get('plain', {}, { partNumber: '1' })
  t.match(plain, { status: 206, text: 'content', headers: { 'content-range': 'bytes 0-6/7' } })
  t.equal(plain.headers['x-amz-mp-parts-count'], undefined)
  t.match(await get('plain', {}, { partNumber: '2' }), { status: 416 })
  await put('empty', '')
  t.match(await get('empty', {}, { partNumber: '1' }), { status: 206, text: '' })
})

void t.test('the attributes of an object are returned without its body', async t => {
  const { endpoint, get, put } = await startStore(t)
  const attributes = (key: string, names: string, headers = {}) =>
    get(key, { 'x-amz-object-attributes': names, ...headers }, { attributes: '' })
  await put('plain', 'content', { 'x-amz-checksum-sha1': digest('sha1', 'content') })
  const plain = await attributes('plain', 'ETag, Checksum,ObjectParts,StorageClass,ObjectSize')
  t.equal(plain.status, 200)
  t.equal(element(plain.text, 'ETag'), '9a0364b9e99bb480dd25e1f0284c8555')
  t.equal(element(plain.text, 'ChecksumSHA1'), digest('sha1', 'content'))
  t.equal(element(plain.text, 'ObjectSize'), '7')
  t.equal(element(plain.text, 'StorageClass'), 'STANDARD')
  t.notMatch(plain.text, /ObjectParts/)
  t.ok(Number.isFinite(Date.parse(plain.headers['last-modified'] ?? '')))
  t.notMatch((await attributes('plain', 'ETag')).text, /ObjectSize|Checksum/)

  const bodies = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(7)]
  await (await upload(endpoint, 'parts', bodies, 'crc32')).complete()
  const all = await attributes('parts', 'ObjectParts,Checksum')
  t.equal(element(all.text, 'PartsCount'), '3')
  t.same(elements(all.text, 'Size'), [String(5 * MIB), String(5 * MIB), '7'])
  t.match(all.text, `<Size>7</Size><ChecksumCRC32>${digest('crc32', bodies[2] ?? '')}</ChecksumCRC32>`)
  t.match(all.text, /<ChecksumType>COMPOSITE</)
  const page = await attributes('parts', 'ObjectParts', { 'x-amz-max-parts': '1', 'x-amz-part-number-marker': '1' })
  t.same(elements(page.text, 'PartNumber'), ['2'])
  t.equal(element(page.text, 'IsTruncated'), 'true')
  t.equal(element(page.text, 'NextPartNumberMarker'), '2')

  t.match(await attributes('plain', 'Owner'), { status: 400, code: 'InvalidArgument' })
  t.match(await get('plain', {}, { attributes: '' }), { status: 400, code: 'InvalidArgument' })
  t.match(await attributes('missing', 'ETag'), { status: 404, code: 'NoSuchKey' })
})

void t.test('x-amz-* in a presigned query counts as in headers', async t => {
  const { endpoint, get } = await startStore(t)
  const path = '/bucket/key'
  const upload = (query: Record<string, string>, body = 'content') =>
    sendRaw(endpoint, 'PUT', presign(endpoint, { method: 'PUT', path, expires: 60, query }), body)
  const crc32 = digest('crc32', 'content')
  t.match(await upload({ 'x-amz-acl': 'public-read' }), { status: 501, code: 'NotImplemented' })
  t.match(await upload({ 'X-Amz-Tagging': 'a=b' }), { status: 501, code: 'NotImplemented' })
  t.match(await upload({ 'x-amz-checksum-crc32': crc32 }, 'other'), { status: 400, code: 'BadDigest' })
  t.equal((await get('key')).status, 404)
  const query = { 'x-amz-acl': 'private', 'x-amz-meta-name': 'ü', 'X-Amz-Checksum-Crc32': crc32, 'x-id': 'PutObject' }
  t.equal((await upload({ ...query, 'x-amz-sdk-checksum-algorithm': 'CRC32' })).status, 200)
  const { headers } = await get('key', MODE)
  t.equal(headers['x-amz-checksum-crc32'], crc32)
  t.equal(Buffer.from(headers['x-amz-meta-name'] as string, 'latin1').toString('utf8'), 'ü')
  t.equal(headers['x-amz-acl'], undefined)
})
