import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { OPERATIONS } from '#src/object-store/protocol/operations.js'
import { element, elements, presign, send, sendRaw, type RequestOptions } from './signed-request.js'
import { storeWithBucket } from './started-store.js'

/** A store with an object `key`, an empty bucket and an upload under way, and a view of all that it has on the disk. */
async function startStore(t: Test) {
  const { endpoint, directory } = await storeWithBucket(t)
  await send(endpoint, { method: 'PUT', path: '/empty' })
  await send(endpoint, { method: 'PUT', path: '/bucket/key', body: 'content' })
  const created = await send(endpoint, { method: 'POST', path: '/bucket/upload', query: { uploads: '' } })
  const uploadId = element(created.text, 'UploadId') ?? ''
  const state = async (): Promise<string[]> => {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
    const digest = async (file: string): Promise<string> =>
      `${file} ${createHash('md5')
        .update(await readFile(file))
        .digest('hex')}`
    return (await Promise.all(files.map(digest))).sort()
  }
  return { endpoint, uploadId, state }
}

const notImplemented = { status: 501, code: 'NotImplemented' }

void t.test('a parameter or header that an operation does not have makes any operation a 501', async t => {
  const { endpoint, uploadId, state } = await startStore(t)
  const before = await state()
  const values: Record<string, string> = { uploadId, partNumber: '1' }
  for (const kind of OPERATIONS) {
    const path = { service: '/', bucket: '/empty', object: '/bucket/key' }[kind.level]
    const query = Object.fromEntries((kind.query ?? []).map(parameter => {
      const [name = '', value = values[parameter] ?? ''] = parameter.split('=')
      return [name, value]
    })) // prettier-ignore
    const headers = Object.fromEntries((kind.needs ?? []).map(name => [name, '/bucket/key']))
    const ask = (options: Partial<RequestOptions>) =>
      send(endpoint, { method: kind.method, path, ...options, query: { ...query, ...options.query }, headers: { ...headers, ...options.headers } }) // prettier-ignore
    const refused = async (options: Partial<RequestOptions>, what: string): Promise<void> => {
      const answer = await ask({ body: 'overwritten', ...options })
      t.equal(answer.status, 501, `${kind.name} ${what}`)
    }
    for (const name of ['acl', 'annotation', 'metadataConfiguration', 'renameObject', 'versionId', 'x-id', 'Delete']) {
      await refused({ query: { [name]: 'x' } }, `?${name}`)
    }
    for (const name of ['x-amz-write-offset-bytes', 'x-amz-mfa', 'x-amz-new', 'if-new', 'x-minio-force-delete', 'content-range', 'x-amz-security-token']) {
      await refused({ headers: { [name]: 'x' } }, name)
    } // prettier-ignore
    await refused({ query: { 'x-amz-new': 'x' } }, '?x-amz-new')
    t.same(await state(), before, `${kind.name} changed nothing`)
  }
})

void t.test('an operation that is not there is a 501, also one that looks like another', async t => {
  const { endpoint, state } = await startStore(t)
  const before = await state()
  const cases: RequestOptions[] = [
    { method: 'DELETE', path: '/empty', query: { metadataConfiguration: '' } },
    { method: 'DELETE', path: '/empty', query: { metadataInventoryTable: '' } },
    { method: 'DELETE', path: '/empty', headers: { 'x-minio-force-delete': 'true' } },
    { method: 'DELETE', path: '/bucket/key', query: { annotation: 'a' } },
    { method: 'DELETE', path: '/bucket/key', query: { tagging: '' } },
    { method: 'DELETE', path: '/bucket/key', query: { versionId: 'x' } },
    { method: 'DELETE', path: '/bucket/key', headers: { 'if-none-match': '*' } },
    { method: 'DELETE', path: '/bucket/key', headers: { 'if-unmodified-since': 'Mon, 01 Jan 2001 00:00:00 GMT' } },
    {
      method: 'PUT',
      path: '/bucket/key',
      query: { renameObject: '' },
      headers: { 'x-amz-rename-source': '/bucket/a' },
    },
    { method: 'PUT', path: '/bucket/key', headers: { 'x-amz-write-offset-bytes': '7' }, body: 'more' },
    { method: 'PUT', path: '/bucket/key', headers: { 'content-range': 'bytes 0-3/10' }, body: 'more' },
    { method: 'PUT', path: '/bucket/key', headers: { 'x-amz-checksum-xxhash64': 'x' }, body: 'more' },
    { method: 'PUT', path: '/bucket/key', query: { append: '', position: '7' }, body: 'more' },
    { method: 'PUT', path: '/bucket/key', query: { 'x-id': 'RenameObject' }, body: 'more' },
    { method: 'PUT', path: '/bucket/key', query: { partNumber: '1' }, body: 'more' },
    { method: 'PUT', path: '/bucket/key', query: { 'x-amz-acl': 'public-read' }, body: 'more' },
    { method: 'PUT', path: '/other', headers: { 'x-amz-bucket-object-lock-enabled': 'true' } },
    { method: 'PUT', path: '/other', body: '<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>' },
    { method: 'POST', path: '/bucket/key', query: { select: '', 'select-type': '2' } },
    { method: 'GET', path: '/bucket', query: { 'list-type': '3' } },
  ]
  for (const options of cases) {
    const name = `${options.method} ${options.path} ${JSON.stringify({ ...options.query, ...options.headers })}`
    t.match(await send(endpoint, options), notImplemented, name)
  }
  t.match(await send(endpoint, { path: '//key' }), { status: 400, code: 'InvalidBucketName' })
  const owner = { 'x-amz-expected-bucket-owner': '123456789012' }
  t.match(await send(endpoint, { method: 'DELETE', path: '/bucket/key', headers: owner }), { status: 403 })
  t.same(await state(), before)
})

void t.test('a parameter that is given twice is refused', async t => {
  const { endpoint } = await startStore(t)
  const twice = presign(endpoint, { path: '/bucket', expires: 60, query: { prefix: 'a' } })
  t.match(await sendRaw(endpoint, 'GET', `${twice}&prefix=`), { status: 403 })
  const both = { query: { 'X-Amz-Acl': 'private' }, headers: { 'x-amz-acl': 'private' } }
  t.match(await send(endpoint, { method: 'PUT', path: '/bucket/new', ...both }), {
    status: 400,
    code: 'InvalidArgument',
  })
})

void t.test('headers of clients about themselves change nothing', async t => {
  const { endpoint } = await startStore(t)
  const headers = {
    'x-amz-user-agent': 'aws-sdk-js/3',
    'amz-sdk-request': 'attempt=1',
    'x-amz-expected-bucket-owner': 'outpost',
  }
  const answer = await send(endpoint, {
    path: '/bucket/key',
    query: { 'x-id': 'GetObject', versionId: 'null' },
    headers,
  })
  t.match(answer, { status: 200, text: 'content' })
  const put = { 'x-amz-acl': 'private', 'x-amz-storage-class': 'STANDARD' }
  const stored = await send(endpoint, {
    method: 'PUT',
    path: '/bucket/new',
    query: { 'x-id': 'PutObject' },
    headers: put,
  })
  t.equal(stored.status, 200)
})

void t.test('a delete with a condition deletes only what the condition is true of', async t => {
  const { endpoint } = await startStore(t)
  const path = '/bucket/key'
  const { headers } = await send(endpoint, { path })
  const remove = (headers: Record<string, string>) => send(endpoint, { method: 'DELETE', path, headers })
  const modified = headers['last-modified'] ?? ''
  const failed = { status: 412, code: 'PreconditionFailed' }
  t.match(await remove({ 'if-match': '"other"' }), failed)
  t.match(await remove({ 'x-amz-if-match-size': '8' }), failed)
  t.match(await remove({ 'x-amz-if-match-last-modified-time': 'Mon, 01 Jan 2001 00:00:00 GMT' }), failed)
  t.match(await remove({ 'if-match': headers.etag ?? '', 'x-amz-if-match-size': '8' }), failed)
  t.match(await remove({ 'x-amz-if-match-size': '1e1' }), { status: 400, code: 'InvalidArgument' })
  t.match(await remove({ 'x-amz-if-match-last-modified-time': 'yesterday' }), { status: 400, code: 'InvalidArgument' })
  t.equal((await send(endpoint, { path })).text, 'content')
  const all = {
    'if-match': headers.etag ?? '',
    'x-amz-if-match-size': '7',
    'x-amz-if-match-last-modified-time': modified,
  }
  t.equal((await remove(all)).status, 204)
  t.equal((await send(endpoint, { path })).status, 404)
  t.match(await remove({ 'if-match': '*' }), failed, 'a condition on what is not there does not hold')
  t.equal((await remove({})).status, 204)
})

void t.test('each object of a delete document has conditions of its own', async t => {
  const { endpoint } = await startStore(t)
  for (const key of ['b', 'c', 'd', 'e']) await send(endpoint, { method: 'PUT', path: `/bucket/${key}`, body: key })
  const etag = (key: string): string => createHash('md5').update(key).digest('hex')
  const document = (objects: string): string => `<Delete>${objects}</Delete>`
  const remove = (body: string) => send(endpoint, { method: 'POST', path: '/bucket', query: { delete: '' }, body })
  const answer = await remove(document(
    `<Object><Key>b</Key><ETag>"${etag('c')}"</ETag></Object>` +
    `<Object><Key>b</Key><VersionId>3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY</VersionId></Object>` +
    `<Object><Key>c</Key><ETag>${etag('c')}</ETag><Size>1</Size></Object>` +
    `<Object><Key>d</Key><VersionId>null</VersionId></Object>` +
    `<Object><Key>e</Key><LastModifiedTime>2001-01-01T00:00:00Z</LastModifiedTime></Object>`
  )) // prettier-ignore
  t.equal(answer.status, 200)
  t.same(elements(answer.text, 'Code'), ['PreconditionFailed', 'NoSuchVersion', 'PreconditionFailed'])
  const listed = await send(endpoint, { path: '/bucket' })
  t.same(elements(listed.text, 'Key'), ['b', 'e', 'key'])

  const unknown = document('<Object><Key>b</Key></Object><Object><Key>e</Key><IfOlderThan>1</IfOlderThan></Object>')
  t.match(await remove(unknown), notImplemented)
  t.match(await remove(document('<Object><Key>b</Key></Object><BypassGovernance/>')), notImplemented)
  t.same(elements((await send(endpoint, { path: '/bucket' })).text, 'Key'), ['b', 'e', 'key'])
})
