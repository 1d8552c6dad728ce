import t from 'tap'
import { S3Error } from '#src/object-store/errors.js'
import {
  EMPTY_SHA256,
  verifySignature,
  type NamedValues,
  type SignedRequest,
} from '#src/object-store/request/signature-v4.js'

// The examples of "Authenticating Requests (AWS Signature Version 4)" in the S3 API reference.
const credentials = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
}
const now = Date.parse('2013-05-24T00:00:00Z')
const scope = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'

function authorized(request: SignedRequest, signedHeaders: string, signature: string, contentSha256 = EMPTY_SHA256) {
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=${signedHeaders},Signature=${signature}`
  const headers: NamedValues = [
    ...request.headers,
    ['host', 'examplebucket.s3.amazonaws.com'],
    ['x-amz-content-sha256', contentSha256],
    ['x-amz-date', '20130524T000000Z'],
    ['authorization', authorization],
  ]
  return { ...request, headers }
}

const getObject = authorized(
  { method: 'GET', path: '/test.txt', query: [], headers: [['range', 'bytes=0-9']] },
  'host;range;x-amz-content-sha256;x-amz-date',
  'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
)

function codeOf(request: SignedRequest, nowMs = now, region = 'us-east-1'): string {
  try {
    verifySignature(request, { ...credentials, region }, nowMs)
    return 'verified'
  } catch (error) {
    return error instanceof S3Error ? error.code : String(error)
  }
}

void t.test("AWS's examples verify", t => {
  const putObject = authorized(
    {
      method: 'PUT',
      path: '/test$file.text',
      query: [],
      headers: [
        ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
        ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ],
    },
    'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
  )
  const getLifecycle = authorized(
    { method: 'GET', path: '/', query: [['lifecycle', '']], headers: [] },
    'host;x-amz-content-sha256;x-amz-date',
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  )
  const listObjects = authorized(
    {
      method: 'GET',
      path: '/',
      query: [
        ['prefix', 'J'],
        ['max-keys', '2'],
      ],
      headers: [],
    },
    'host;x-amz-content-sha256;x-amz-date',
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  )
  for (const request of [getObject, putObject, getLifecycle, listObjects]) t.equal(codeOf(request), 'verified')
  t.end()
})

const presigned: SignedRequest = {
  method: 'GET',
  path: '/test.txt',
  query: [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', scope],
    ['X-Amz-Date', '20130524T000000Z'],
    ['X-Amz-Expires', '86400'],
    ['X-Amz-SignedHeaders', 'host'],
    ['X-Amz-Signature', 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404'],
  ],
  headers: [['host', 'examplebucket.s3.amazonaws.com']],
}

void t.test("AWS's presigned example verifies until it expires", t => {
  t.equal(codeOf(presigned), 'verified')
  t.equal(codeOf(presigned, now + 86_400_000), 'verified')
  t.equal(codeOf(presigned, now + 86_400_001), 'AccessDenied')
  t.equal(codeOf(presigned, now - 16 * 60_000), 'AccessDenied')
  t.end()
})

void t.test('everything that was signed matters', t => {
  t.equal(codeOf({ ...getObject, path: '/test2.txt' }), 'SignatureDoesNotMatch')
  t.equal(codeOf({ ...getObject, method: 'HEAD' }), 'SignatureDoesNotMatch')
  t.equal(codeOf({ ...getObject, query: [['acl', '']] }), 'SignatureDoesNotMatch')
  const longer = getObject.headers.map(([name, value]) => [name, name === 'range' ? 'bytes=0-99' : value] as const)
  t.equal(codeOf({ ...getObject, headers: longer }), 'SignatureDoesNotMatch')
  t.equal(codeOf({ ...getObject, headers: [...getObject.headers, ['host', 'other']] }), 'SignatureDoesNotMatch')
  t.equal(codeOf({ ...presigned, path: '/other.txt' }), 'SignatureDoesNotMatch')
  t.end()
})

void t.test('an x-amz header that was not signed is refused', t => {
  const added: NamedValues = [...getObject.headers, ['x-amz-copy-source', '/other/secret']]
  t.equal(codeOf({ ...getObject, headers: added }), 'AccessDenied')
  t.equal(codeOf({ ...presigned, headers: [...presigned.headers, ['x-amz-acl', 'public-read']] }), 'AccessDenied')
  t.end()
})

void t.test('the clocks may be 15 minutes apart', t => {
  t.equal(codeOf(getObject, now + 15 * 60_000), 'verified')
  t.equal(codeOf(getObject, now - 15 * 60_000), 'verified')
  t.equal(codeOf(getObject, now + 15 * 60_000 + 1), 'RequestTimeTooSkewed')
  t.equal(codeOf(getObject, now - 15 * 60_000 - 1), 'RequestTimeTooSkewed')
  t.end()
})

void t.test('a credential for another time, place or person is refused', t => {
  const withHeader = (change: (value: string) => string): SignedRequest => ({
    ...getObject,
    headers: getObject.headers.map(([name, value]) => [name, name === 'authorization' ? change(value) : value]),
  })
  t.equal(codeOf(getObject, now, 'eu-west-1'), 'AuthorizationHeaderMalformed')
  t.equal(codeOf(withHeader(value => value.replace('20130524/', '20130523/'))), 'AuthorizationHeaderMalformed')
  t.equal(codeOf(withHeader(value => value.replace('AKIA', 'AKIB'))), 'InvalidAccessKeyId')
  t.equal(codeOf(withHeader(() => 'AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl')), 'InvalidRequest')
  t.equal(codeOf(withHeader(() => 'AWS4-HMAC-SHA256 nonsense')), 'AuthorizationHeaderMalformed')
  t.equal(codeOf({ ...getObject, query: presigned.query }), 'InvalidArgument')
  t.equal(codeOf({ ...getObject, headers: [['host', 'examplebucket.s3.amazonaws.com']] }), 'AccessDenied')
  t.end()
})
