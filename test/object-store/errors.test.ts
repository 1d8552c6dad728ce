import t from 'tap'
import { asS3Error, S3_ERRORS, S3Error } from '#src/object-store/errors.js'

const failure = (code: string): Error => Object.assign(new Error(`${code}: /secret/path`), { code })

void t.test('every code has an error status and a sentence', t => {
  for (const [code, [status, message]] of Object.entries(S3_ERRORS)) {
    t.ok((status >= 400 && status <= 599) || status === 304, code)
    t.match(message, /\.$/, code)
  }
  t.end()
})

void t.test('a full disk is answered as XMinioStorageFull', t => {
  t.match(asS3Error(failure('ENOSPC')), { code: 'XMinioStorageFull', status: 507 })
  t.match(asS3Error(failure('EDQUOT')), { code: 'XMinioStorageFull', status: 507 })
  t.end()
})

void t.test('details of an internal error stay in its cause', t => {
  const cause = failure('EIO')
  const error = asS3Error(cause)
  t.match(error, { code: 'InternalError', status: 500, cause })
  t.notMatch(error.message, /secret/)
  t.end()
})

void t.test('an S3Error is answered as it is', t => {
  const error = new S3Error('NoSuchKey')
  t.equal(asS3Error(error), error)
  t.equal(error.status, 404)
  t.end()
})
