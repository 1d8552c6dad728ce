import t from 'tap'
import { send } from './signed-request.js'
import { storeWithBucket } from './started-store.js'

/** Of `hello`. */
const RIGHT = 'x-amz-checksum-crc32:NhCmhg==\r\n'
const WRONG = 'x-amz-checksum-crc32:AAAAAA==\r\n'
const CRC32 = { 'x-amz-trailer': 'x-amz-checksum-crc32' }

void t.test('a trailer that is not the announced one, or could be read in two ways, is refused', async t => {
  const { endpoint } = await storeWithBucket(t)
  const put = (headers: Readonly<Record<string, string>>, trailers: string) =>
    send(endpoint, {
      method: 'PUT',
      path: '/bucket/key',
      contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      headers: { 'x-amz-decoded-content-length': '5', ...headers },
      body: `5\r\nhello\r\n0\r\n${trailers}\r\n`,
    })
  const malformed = { status: 400, code: 'MalformedTrailerError' }
  t.match(await put({}, WRONG), malformed, 'not announced')
  t.match(await put(CRC32, WRONG + RIGHT), malformed, 'twice')
  t.match(await put(CRC32, `${RIGHT}x-amz-meta-a:b\r\n`), malformed, 'with another one')
  t.match(await put(CRC32, WRONG), { status: 400, code: 'BadDigest' })
  t.match(await put(CRC32, ''), { status: 400, code: 'BadDigest' }, 'announced, and not there')
  const both = { ...CRC32, 'x-amz-checksum-crc32': 'NhCmhg==' }
  t.match(await put(both, WRONG), { status: 400, code: 'InvalidRequest' }, 'in a header, too')
  t.equal((await send(endpoint, { path: '/bucket/key' })).status, 404, 'nothing of them is stored')
  t.equal((await put(CRC32, RIGHT)).status, 200)
  t.equal((await put({}, '')).status, 200)
})
