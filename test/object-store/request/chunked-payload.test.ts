import { Readable } from 'node:stream'
import t from 'tap'
import { decodeChunks } from '#src/object-store/request/chunked-payload.js'
import { deriveKey, type VerifiedSignature } from '#src/object-store/request/signature-v4.js'

// The examples of "Transferring Payload in Multiple Chunks" in the S3 API reference: 65 KiB of the letter a.
const credentials = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
}
const plain: VerifiedSignature = {
  contentSha256: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  signingKey: deriveKey(credentials, '20130524'),
  timestamp: '20130524T000000Z',
  scope: '20130524/us-east-1/s3/aws4_request',
  signature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
}
const plainBody = encode([
  [65_536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'],
  [1_024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'],
  [0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'],
])
const trailing: VerifiedSignature = {
  ...plain,
  contentSha256: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  signature: '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
}
const trailer = (signature: string): string =>
  `x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${signature}\r\n\r\n`
const trailingBody =
  encode([
    [65_536, 'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2'],
    [1_024, '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7'],
    [0, '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992'],
  ]).slice(0, -2) + trailer('d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435')

function encode(chunks: readonly (readonly [size: number, signature: string])[]): string {
  return chunks
    .map(([size, signature]) => `${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}\r\n`)
    .join('')
}

async function decode(body: string, verified: VerifiedSignature, step = 10_000) {
  const pieces = Array.from({ length: Math.ceil(body.length / step) }, (_, index) => {
    return Buffer.from(body.slice(index * step, (index + 1) * step))
  })
  const trailers: [string, string][] = []
  const decoded: Buffer[] = []
  const source = Readable.from(pieces) as AsyncIterable<Buffer>
  for await (const piece of decodeChunks(source, verified, (...trailer) => trailers.push(trailer))) decoded.push(piece)
  return { text: Buffer.concat(decoded).toString(), trailers }
}

void t.test("AWS's examples decode, however the bytes arrive", async t => {
  for (const step of [101, 65_536, 1_000_000]) {
    t.equal((await decode(plainBody, plain, step)).text, 'a'.repeat(66_560))
    t.same(await decode(trailingBody, trailing, step), {
      text: 'a'.repeat(66_560),
      trailers: [['x-amz-checksum-crc32c', 'sOO8/Q==']],
    })
  }
})

void t.test('a changed byte, a chunk left out or moved, or a changed trailer breaks the chain', async t => {
  const refused = { code: 'SignatureDoesNotMatch' }
  await t.rejects(decode(plainBody.replace('aaa', 'aba'), plain), refused)
  await t.rejects(decode(plainBody.replace(/^10000;.*?\r\na+\r\n/s, ''), plain), refused)
  await t.rejects(decode(plainBody, { ...plain, timestamp: '20130524T000001Z' }), refused)
  await t.rejects(decode(trailingBody.replace('sOO8', 'sOO9'), trailing), refused)
  await t.rejects(decode(trailingBody.replace(/x-amz-trailer-signature:.*\r\n/, ''), trailing), refused)
  await t.rejects(decode('0\r\n\r\n', plain), refused)
})

void t.test('a body that ends early, or says more than it should, is refused', async t => {
  await t.rejects(decode(plainBody.slice(0, 66_000), plain), { code: 'IncompleteBody' })
  await t.rejects(decode(plainBody.slice(0, -2), plain), { code: 'IncompleteBody' })
  await t.rejects(decode(`${plainBody}more`, plain), { code: 'InvalidRequest' })
  await t.rejects(decode('fffffffffffff\r\n', plain), { code: 'InvalidRequest' })
  await t.rejects(decode('x'.repeat(10_000), plain), { code: 'InvalidRequest' })
})

void t.test('an unsigned body with a trailer is decoded', async t => {
  const unsigned = { ...plain, contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }
  const body = '5\r\nhello\r\n0\r\nX-Amz-Checksum-Crc32: NhCmhg==\r\n'
  const expected = { text: 'hello', trailers: [['x-amz-checksum-crc32', 'NhCmhg==']] }
  t.same(await decode(`${body}\r\n`, unsigned), expected)
  t.same(await decode(body, unsigned, 1), expected)
})
