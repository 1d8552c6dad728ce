import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { send } from './signed-request.js'
import { s3Clients } from './s3-clients.js'
import { storeWithBucket } from './started-store.js'

const run = promisify(execFile)
/** Its UTF-8 ends with a byte that is a no-break space in Latin-1. */
const NAMES = 'Zoë, 日本, 😀, à'
/** Node carries headers with one character for each byte. */
const onTheWire = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

async function startStore(t: Test) {
  const directory = t.testdir({ 'file.txt': 'hello', store: {} })
  const { endpoint } = await storeWithBucket(t, { directory: join(directory, 'store') })
  const read = async (name: string): Promise<string> => {
    const { headers } = await send(endpoint, { path: '/bucket/key' })
    return Buffer.from((headers[name] as string | undefined) ?? '', 'latin1').toString('utf8')
  }
  return { endpoint, directory, read }
}

const missing = async (name: string): Promise<string | false> =>
  (await s3Clients.find(kind => kind.name === name)?.missing()) ?? false

void t.test('metadata in UTF-8 comes back as it was sent', async t => {
  const { endpoint, read } = await startStore(t)
  const headers = {
    'x-amz-meta-names': onTheWire(NAMES),
    'content-disposition': onTheWire(`inline; filename="${NAMES}"`),
  }
  const stored = await send(endpoint, { method: 'PUT', path: '/bucket/key', body: 'x', headers })
  t.equal(stored.status, 200)
  t.equal(await read('x-amz-meta-names'), NAMES)
  t.equal(await read('content-disposition'), `inline; filename="${NAMES}"`)
  const query = { 'response-content-disposition': `attachment; filename="${NAMES}"` }
  const answer = await send(endpoint, { path: '/bucket/key', query })
  t.equal(answer.headers['content-disposition'], onTheWire(query['response-content-disposition']))
})

void t.test('a changed byte of a header breaks the signature', async t => {
  const { endpoint } = await startStore(t)
  const headers = { 'x-amz-meta-name': onTheWire('Zoë') }
  const unsignedHeaders = { 'x-amz-meta-name': onTheWire('Zoé') }
  const answer = await send(endpoint, { method: 'PUT', path: '/bucket/key', headers, unsignedHeaders })
  t.match(answer, { status: 403, code: 'SignatureDoesNotMatch' })
})

void t.test('a copy source may be written in UTF-8', async t => {
  const { endpoint, read } = await startStore(t)
  const headers = { 'x-amz-meta-name': 'copied' }
  await send(endpoint, { method: 'PUT', path: `/bucket/${NAMES}`, body: 'x', headers })
  const source = { 'x-amz-copy-source': onTheWire(`/bucket/${NAMES}`) }
  t.equal((await send(endpoint, { method: 'PUT', path: '/bucket/key', headers: source })).status, 200)
  t.equal(await read('x-amz-meta-name'), 'copied')
})

void t.test('s3cmd stores metadata in UTF-8', { skip: await missing('s3cmd') }, async t => {
  const { endpoint, directory, read } = await startStore(t)
  const host = `127.0.0.1:${endpoint.port}`
  const options = ['--access_key=key', '--secret_key=secret', `--host=${host}`, `--host-bucket=${host}`, '--no-ssl']
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: directory, LANG: 'C.UTF-8' }
  const header = `--add-header=x-amz-meta-names:${NAMES}`
  await run('s3cmd', [...options, header, 'put', join(directory, 'file.txt'), 's3://bucket/key'], { env })
  t.equal(await read('x-amz-meta-names'), NAMES)
})

void t.test('rclone stores metadata in UTF-8', { skip: await missing('rclone') }, async t => {
  const { endpoint, directory, read } = await startStore(t)
  const config = join(directory, 'rclone.conf')
  const lines = ['[s3]', 'type = s3', 'provider = Other', 'access_key_id = key', 'secret_access_key = secret']
  await writeFile(config, [...lines, `endpoint = http://127.0.0.1:${endpoint.port}`, 'region = us-east-1'].join('\n'))
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: directory, LANG: 'C.UTF-8' }
  const command = ['copyto', join(directory, 'file.txt'), 's3:bucket/key', '--retries', '1', '--no-check-dest']
  await run('rclone', ['--config', config, ...command, '--header-upload', `x-amz-meta-names: ${NAMES}`], { env })
  t.equal(await read('x-amz-meta-names'), NAMES)
})
