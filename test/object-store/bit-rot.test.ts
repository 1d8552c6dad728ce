import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { encodeRecord, readRecordSync } from '#src/object-store/disk/record-file.js'
import type { ObjectStoreOptions } from '#src/object-store/object-store.js'
import { element, open, send, type Endpoint } from './signed-request.js'
import { startedStore } from './started-store.js'

const MIB = 1 << 20
const fault = { status: 500, code: 'InternalError' }

async function startStore(t: Test, directory: string, options: Partial<ObjectStoreOptions> = {}) {
  const warnings: string[] = []
  const warn = (message: string, cause?: unknown): void => void warnings.push(`${message} ${String(cause)}`)
  const { store, endpoint } = await startedStore(t, { directory, warn, ...options })
  const get = (key: string, headers = {}) => send(endpoint, { path: `/bucket/${key}`, headers })
  const put = (key: string, body: string | Buffer, headers = {}) =>
    send(endpoint, { method: 'PUT', path: `/bucket/${key}`, body, headers })
  return { store, endpoint, warnings, get, put }
}

const filesIn = async (directory: string): Promise<string[]> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}

const objectsOf = (directory: string) => filesIn(join(directory, 'buckets', 'bucket', 'objects'))
const partsOf = async (directory: string): Promise<string[]> =>
  (await filesIn(join(directory, 'buckets', 'bucket', 'uploads'))).sort()

async function flipBit(file: string, at: number): Promise<void> {
  const bytes = await readFile(file)
  bytes[at] = (bytes[at] ?? 0) ^ 4
  await writeFile(file, bytes)
}

/** Uploads in parts of 5 MiB. */
async function putParts(endpoint: Endpoint, key: string, body: Buffer): Promise<void> {
  const path = `/bucket/${key}`
  const created = await send(endpoint, { method: 'POST', path, query: { uploads: '' } })
  const uploadId = element(created.text, 'UploadId') ?? ''
  const parts: string[] = []
  for (let at = 0; at < body.length; at += 5 * MIB) {
    const query = { uploadId, partNumber: String(parts.length + 1) }
    const part = await send(endpoint, { method: 'PUT', path, query, body: body.subarray(at, at + 5 * MIB) })
    parts.push(`<Part><PartNumber>${query.partNumber}</PartNumber><ETag>${part.headers.etag}</ETag></Part>`)
  }
  const document = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
  await send(endpoint, { method: 'POST', path, query: { uploadId }, body: document })
}

/** The part of an answer that arrives before the connection is cut. */
async function cutAnswer(endpoint: Endpoint, key: string): Promise<Buffer> {
  const request = open(endpoint, { path: `/bucket/${key}` })
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const pieces: Buffer[] = []
  try {
    for await (const piece of response) pieces.push(piece as Buffer)
  } catch {
    return Buffer.concat(pieces)
  }
  throw new Error('the answer came to its end')
}

/** Rewrites a file as version 0.1 wrote it: without checksums of blocks, and without the name of the bucket. */
async function asVersion01(file: string): Promise<void> {
  const { record, bodyLength } = readRecordSync(file)
  const added = ['blocks', 'bucket']
  const rest = Object.fromEntries(Object.entries(record as object).filter(([name]) => !added.includes(name)))
  await writeFile(file, Buffer.concat([(await readFile(file)).subarray(0, bodyLength), encodeRecord(rest)]))
}

void t.test('no flipped bit of a file is answered with 200', async t => {
  const directory = t.testdir()
  const { endpoint, put, get } = await startStore(t, directory)
  await send(endpoint, { method: 'PUT', path: '/bucket' })
  await put('key', 'The quick brown fox jumps over the lazy dog', { 'x-amz-meta-colour': 'blue' })
  const [file = ''] = await objectsOf(directory)
  const whole = await readFile(file)
  for (const at of whole.keys()) {
    await flipBit(file, at)
    t.match(await get('key'), fault, `byte ${at}`)
    await writeFile(file, whole)
  }
  t.equal((await get('key')).status, 200)
})

void t.test('a damaged block is never sent, and the others are', async t => {
  const directory = t.testdir()
  let tell: (warning: string) => void = () => undefined
  const told = new Promise<string>(resolve => (tell = resolve))
  const warn = (message: string, cause?: unknown): void => tell(`${message} ${String(cause)}`)
  const { endpoint, put, get } = await startStore(t, directory, { warn })
  await send(endpoint, { method: 'PUT', path: '/bucket' })
  const body = randomBytes(MIB)
  await put('large', body)
  const [file = ''] = await objectsOf(directory)
  await flipBit(file, 600_000)

  const received = await cutAnswer(endpoint, 'large')
  t.ok(received.length <= 512 << 10 && received.equals(body.subarray(0, received.length)), 'only what is true')
  t.match(await told, /^request failed: GET \/bucket\/large: InternalError .* bytes 524288 to 655359/)
  t.match(await get('large', { range: 'bytes=600000-600000' }), fault)
  t.match(await get('large', { range: 'bytes=524288-524290' }), fault)
  const before = await get('large', { range: 'bytes=131070-524287' })
  t.ok(before.status === 206 && before.body.equals(body.subarray(131_070, 524_288)))
  const behind = await get('large', { range: 'bytes=655360-' })
  t.ok(behind.status === 206 && behind.body.equals(body.subarray(655_360)))

  const headers = { 'x-amz-copy-source': '/bucket/large' }
  t.match(await send(endpoint, { method: 'PUT', path: '/bucket/copy', headers }), fault)
  t.equal((await get('copy')).status, 404, 'damage is not copied')
})

void t.test('a damaged part is found in the middle of an object', async t => {
  const directory = t.testdir()
  const { endpoint, get } = await startStore(t, directory)
  await send(endpoint, { method: 'PUT', path: '/bucket' })
  const body = randomBytes(11 * MIB)
  await putParts(endpoint, 'parts', body)
  const whole = await get('parts')
  t.ok(whole.body.equals(body))
  const across = await get('parts', { range: `bytes=${5 * MIB - 3}-${10 * MIB + 2}` })
  t.ok(across.body.equals(body.subarray(5 * MIB - 3, 10 * MIB + 3)))

  const [, second = '', third = ''] = await partsOf(directory)
  await flipBit(second, 5 * MIB - 1)
  t.ok((await cutAnswer(endpoint, 'parts')).equals(body.subarray(0, 10 * MIB - (128 << 10))))
  t.equal((await get('parts', { range: `bytes=${10 * MIB}-` })).status, 206)
  await truncate(third, MIB + 5)
  t.match(await get('parts', { range: `bytes=${10 * MIB}-` }), fault)
  await rm(third)
  t.match(await get('parts', { range: `bytes=${10 * MIB}-` }), fault)
})

void t.test('a file that grew, shrank or was swapped with another one is damaged', async t => {
  const directory = t.testdir()
  const { endpoint, store, put, get } = await startStore(t, directory)
  await send(endpoint, { method: 'PUT', path: '/bucket' })
  await put('a', 'first')
  const [first = ''] = await objectsOf(directory)
  await put('b', 'other')
  const second = (await objectsOf(directory)).find(file => file !== first) ?? ''
  const [one, other] = [await readFile(first), await readFile(second)]
  const damages = { swapped: other, longer: Buffer.concat([one.subarray(0, 3), one]), shorter: one.subarray(1) }
  for (const [name, bytes] of Object.entries(damages)) {
    await writeFile(first, bytes)
    t.match(await get('a'), fault, name)
  }
  await appendFile(first, 'x')
  t.match(await get('a'), fault, 'appended')
  await writeFile(first, other)
  await store.stop()
  const again = await startStore(t, directory)
  t.match(await again.get('a'), fault, 'swapped, after a start')
  t.equal((await again.get('b')).text, 'other')
})

void t.test('an object that was swapped with the one of its key in another bucket is damaged', async t => {
  const directory = t.testdir()
  const { endpoint, store, get } = await startStore(t, directory)
  for (const bucket of ['bucket', 'second']) {
    await send(endpoint, { method: 'PUT', path: `/${bucket}` })
    await send(endpoint, { method: 'PUT', path: `/${bucket}/key`, body: `of ${bucket}` })
    await send(endpoint, { method: 'PUT', path: `/${bucket}/copy`, headers: { 'x-amz-copy-source': `/${bucket}/key` } })
  }
  const mine = await objectsOf(directory)
  const other = (file: string): string => file.replace('/buckets/bucket/', '/buckets/second/')
  for (const file of mine) {
    const [one, two] = [await readFile(file), await readFile(other(file))]
    await writeFile(file, two)
    await writeFile(other(file), one)
  }
  for (const key of ['key', 'copy']) t.match(await get(key), fault, key)
  const damaged = ['bucket/copy', 'bucket/key', 'second/copy', 'second/key']
  t.same((await store.scrub()).damaged, damaged, 'a scrub finds it')
  await store.stop()
  const again = await startStore(t, directory)
  for (const key of ['key', 'copy']) t.match(await again.get(key), fault, `${key} after a start`)
})

void t.test('an object of parts that was swapped with the one of another bucket is damaged', async t => {
  const directory = t.testdir()
  const { endpoint, store } = await startStore(t, directory)
  await send(endpoint, { method: 'PUT', path: '/bucket' })
  await putParts(endpoint, 'key', randomBytes(6 * MIB))
  await store.stop()
  await rename(join(directory, 'buckets', 'bucket'), join(directory, 'buckets', 'second'))
  const again = await startStore(t, directory)
  t.match(await send(again.endpoint, { path: '/second/key' }), fault, 'also with all of its parts')
})

void t.test('an upload in the folder of another one is left out, and named', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  await send(first.endpoint, { method: 'PUT', path: '/bucket' })
  for (const path of ['/bucket/a', '/bucket/b']) {
    await send(first.endpoint, { method: 'POST', path, query: { uploads: '' } })
  }
  await first.store.stop()
  const [one = '', two = ''] = await partsOf(directory)
  await writeFile(one, await readFile(two))
  const { endpoint, warnings } = await startStore(t, directory)
  t.match(warnings, [/upload is damaged/])
  const listed = await send(endpoint, { path: '/bucket', query: { uploads: '' } })
  t.equal([...listed.text.matchAll(/<UploadId>/g)].length, 1)
})

void t.test('a part that was swapped with another one of its size is damaged', async t => {
  const directory = t.testdir()
  const { endpoint, store, get } = await startStore(t, directory)
  await send(endpoint, { method: 'PUT', path: '/bucket' })
  const bodies = [randomBytes(11 * MIB), randomBytes(11 * MIB)]
  const parts: string[] = []
  for (const [index, body] of bodies.entries()) {
    await putParts(endpoint, `key${index}`, body)
    parts.push(...(await partsOf(directory)).filter(file => !parts.includes(file)))
  }
  const [first = '', second = '', , ofAnother = ''] = parts
  const whole = await readFile(first)
  for (const [name, other] of Object.entries({ 'in its upload': second, 'of another upload': ofAnother })) {
    await writeFile(first, await readFile(other))
    t.match(await get('key0'), fault, name)
    t.same((await store.scrub()).damaged, ['bucket/key0'], 'a scrub finds it')
    t.equal((await get('key0', { range: `bytes=${5 * MIB}-` })).status, 206, 'the other parts are served')
  }
  await writeFile(first, whole)
  t.ok((await get('key0')).body.equals(bodies[0] ?? whole))
})

void t.test('a damaged object is a 500 after a start, until it is written or deleted', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  await send(first.endpoint, { method: 'PUT', path: '/bucket' })
  await first.put('key', 'content')
  await first.store.stop()
  const [file = ''] = await objectsOf(directory)
  const bytes = await readFile(file)
  await flipBit(file, bytes.length - 20)

  const { endpoint, get, put, warnings, store } = await startStore(t, directory)
  t.match(warnings, [/damaged.*objects/])
  t.match(await get('key'), fault)
  t.equal((await send(endpoint, { method: 'HEAD', path: '/bucket/key' })).status, 500)
  t.equal((await get('other')).status, 404)
  t.match(await put('key', 'new', { 'if-none-match': '*' }), { status: 412 })
  t.match(await put('key', 'new', { 'if-match': '"9a0364b9e99bb480dd25e1f0284c8555"' }), fault)
  t.match(await send(endpoint, { method: 'DELETE', path: '/bucket' }), { status: 409, code: 'BucketNotEmpty' })
  t.same((await store.scrub()).damaged, [file], 'a scrub names the file')
  t.equal((await send(endpoint, { method: 'DELETE', path: '/bucket/key' })).status, 204)
  t.equal((await get('key')).status, 404)
  await store.stop()

  await writeFile(file, bytes.subarray(0, -1))
  const third = await startStore(t, directory)
  t.match(await third.get('key'), fault)
  t.equal((await third.put('key', 'written again')).status, 200)
  t.equal((await third.get('key')).text, 'written again')
  t.same(await third.store.scrub(), { objects: 1, sealed: 0, damaged: [] })
})

void t.test('foreign and damaged files are named and left alone, and do not prevent a start', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  await send(first.endpoint, { method: 'PUT', path: '/bucket' })
  await send(first.endpoint, { method: 'PUT', path: '/second' })
  await first.put('key', 'content')
  await putParts(first.endpoint, 'parts', randomBytes(6 * MIB))
  const path = '/bucket/under-way'
  const created = await send(first.endpoint, { method: 'POST', path, query: { uploads: '' } })
  const uploadId = element(created.text, 'UploadId') ?? ''
  await send(first.endpoint, { method: 'PUT', path, query: { uploadId, partNumber: '1' }, body: 'part' })
  await first.store.stop()

  const buckets = join(directory, 'buckets')
  const inBucket = (...names: string[]): string => join(buckets, 'bucket', ...names)
  const [fan = ''] = await readdir(inBucket('objects'))
  const places = [
    buckets,
    inBucket('objects'),
    inBucket('objects', fan),
    inBucket('uploads'),
    inBucket('uploads', uploadId),
  ]
  for (const place of places) {
    await writeFile(join(place, '.DS_Store'), 'Bud1')
    await mkdir(join(place, 'lost+found'))
  }
  await writeFile(join(buckets, 'core'), 'a file with the name of a bucket')
  await mkdir(join(buckets, 'photos'))
  await writeFile(join(buckets, 'second', 'bucket'), 'broken')

  const { endpoint, get, warnings } = await startStore(t, directory)
  for (const place of places) {
    for (const name of ['.DS_Store', 'lost+found']) {
      t.ok(warnings.some(warning => warning.includes(join(place, name))), `${place}/${name} is named`) // prettier-ignore
      t.ok((await readdir(place)).includes(name), 'and left alone')
    }
  }
  for (const name of ['core', 'photos'])
    t.ok(
      warnings.some(warning => warning.includes(join(buckets, name))),
      name,
    )
  t.ok(warnings.some(warning => warning.includes('bucket second is damaged')))
  t.equal((await get('key')).text, 'content')
  t.equal((await get('parts')).body.length, 6 * MIB)
  t.equal((await send(endpoint, { path: '/second' })).status, 200)
  t.match(await send(endpoint, { path, query: { uploadId } }), { status: 200, text: /<PartNumber>1</ })
  t.notMatch((await send(endpoint, { path: '/' })).text, /core|photos|lost/)
})

void t.test('folders that are lost are named, and do not prevent a start', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  for (const path of ['/bucket', '/second']) await send(first.endpoint, { method: 'PUT', path })
  await first.put('key', 'content')
  await first.store.stop()
  await rm(join(directory, 'buckets', 'bucket', 'uploads'), { recursive: true })
  await rm(join(directory, 'buckets', 'second', 'objects'), { recursive: true })
  const { endpoint, get, warnings } = await startStore(t, directory)
  t.equal(warnings.length, 2)
  t.equal((await get('key')).text, 'content')
  t.match(await send(endpoint, { path: '/second/key' }), fault, 'the damaged object is not simply gone')
})

void t.test('a scrub names every damaged object, and only those', async t => {
  const directory = t.testdir()
  const { endpoint, store, put, warnings } = await startStore(t, directory, { scrubBytesPerSecond: 1e12 })
  await send(endpoint, { method: 'PUT', path: '/bucket' })
  for (const key of ['whole', 'empty', 'rotten']) await put(key, key === 'empty' ? '' : randomBytes(300_000))
  await putParts(endpoint, 'parts', randomBytes(6 * MIB))
  await putParts(endpoint, 'whole parts', randomBytes(6 * MIB))
  t.same(await store.scrub(), { objects: 5, sealed: 0, damaged: [] })

  for (const file of await objectsOf(directory)) {
    if ((readRecordSync(file).record as { key: string }).key === 'rotten') await flipBit(file, 299_999)
  }
  const folders = await readdir(join(directory, 'buckets', 'bucket', 'uploads'))
  t.equal(folders.length, 2)
  for (const file of await objectsOf(directory)) {
    const { key, multipart } = readRecordSync(file).record as { key: string; multipart?: { uploadId: string } }
    const part = join(directory, 'buckets', 'bucket', 'uploads', multipart?.uploadId ?? '', '00002')
    if (key === 'parts') await flipBit(part, 10)
  }
  t.same(await store.scrub(), { objects: 3, sealed: 0, damaged: ['bucket/parts', 'bucket/rotten'] })
  t.match(warnings, [/^object is damaged: bucket\/parts/, /^object is damaged: bucket\/rotten/])
})

void t.test('objects of version 0.1 are served as they are, and a scrub gives them checksums', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  await send(first.endpoint, { method: 'PUT', path: '/bucket' })
  const body = randomBytes(300_000)
  const long = randomBytes(6 * MIB)
  await first.put('old', body, { 'x-amz-meta-colour': 'blue' })
  await putParts(first.endpoint, 'old parts', long)
  await first.store.stop()
  const files = [...(await objectsOf(directory)), ...(await partsOf(directory))]
  for (const file of files) await asVersion01(file)

  const { store, get } = await startStore(t, directory, { scrubBytesPerSecond: 1e12 })
  const before = await get('old')
  t.ok(before.body.equals(body))
  t.ok((await get('old parts')).body.equals(long))
  t.same(await store.scrub(), { objects: 2, sealed: 4, damaged: [] })
  t.same(await store.scrub(), { objects: 2, sealed: 0, damaged: [] })
  t.same([...(await objectsOf(directory)), ...(await partsOf(directory))], files)
  t.same(await readdir(join(directory, 'temp')), [])
  const after = await get('old')
  t.ok(after.body.equals(body))
  for (const name of ['etag', 'last-modified', 'x-amz-meta-colour']) t.equal(after.headers[name], before.headers[name])
  t.ok((await get('old parts')).body.equals(long))
  const [, second = ''] = await partsOf(directory)
  await flipBit(second, 0)
  t.match(await get('old parts', { range: `bytes=${5 * MIB}-${5 * MIB}` }), fault)
  for (const file of await objectsOf(directory)) {
    t.match(readRecordSync(file).record, { bucket: 'bucket' }, 'the scrub has told them their bucket')
  }
})

void t.test('the DATA_DIR of version 0.1 opens, and its damage is found', async t => {
  const directory = t.testdir()
  execFileSync('tar', ['-xzf', 'test/fixtures/data-dir-0.1.tar.gz', '-C', directory, './objects'])
  const objects = join(directory, 'objects')
  const { endpoint, store, warnings } = await startStore(t, objects)
  const path = '/outpost/uploads/cff45acf-207e-4aed-a602-134e7337a708'
  t.match(await send(endpoint, { path }), { status: 200, text: 'written by the version before\n' })
  t.same(await store.scrub(), { objects: 2, sealed: 2, damaged: [] })
  t.match(await send(endpoint, { path }), { status: 200, text: 'written by the version before\n' })
  t.same(warnings, [])
  await store.stop()

  execFileSync('tar', ['-xzf', 'test/fixtures/data-dir-0.1.tar.gz', '-C', directory, './objects'])
  for (const file of await filesIn(join(objects, 'buckets', 'outpost', 'objects'))) {
    if ((await readFile(file, 'latin1')).startsWith('written')) await flipBit(file, 3)
  }
  const second = await startStore(t, objects)
  t.match(await send(second.endpoint, { path }), fault, 'its MD5 is known')
  t.same((await second.store.scrub()).damaged, ['outpost/uploads/cff45acf-207e-4aed-a602-134e7337a708'])
  t.match(await send(second.endpoint, { path }), fault, 'a scrub gives no checksums to damage')
})

void t.test('an object that is replaced during a scrub keeps what was written last', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  await send(first.endpoint, { method: 'PUT', path: '/bucket' })
  await first.put('key', randomBytes(MIB))
  await first.store.stop()
  const [file = ''] = await objectsOf(directory)
  await asVersion01(file)

  // The scrub needs about three seconds for the eight blocks, and the write comes before its end.
  const { store, put, get } = await startStore(t, directory, { scrubBytesPerSecond: 384 << 10 })
  const scrubbed = store.scrub()
  await put('key', 'written meanwhile')
  t.same(await scrubbed, { objects: 1, sealed: 0, damaged: [] })
  t.equal((await get('key')).text, 'written meanwhile')
})

void t.test('scrubs run at their times, and a stop does not wait for one', async t => {
  const directory = t.testdir()
  const first = await startStore(t, directory)
  await send(first.endpoint, { method: 'PUT', path: '/bucket' })
  await first.put('rotten', 'content')
  await first.put('then a slow one', randomBytes(MIB))
  await first.store.stop()
  for (const file of await objectsOf(directory)) {
    if ((await readFile(file, 'latin1')).startsWith('content')) await flipBit(file, 0)
  }
  const told = new Promise<string>(resolve => {
    void startStore(t, directory, {
      warn: resolve,
      scrubTimes: { firstAfterMs: 1, everyMs: 1 },
      scrubBytesPerSecond: 1,
    }).then(({ store }) => told.then(() => store.stop()))
  })
  t.match(await told, /^object is damaged: bucket\/rotten/)
})
