import t from 'tap'
import { minio } from '../helpers/s3-servers.js'
import { minioClientSuite } from '../object-store/minio-client.js'
import { contractSuite } from '../object-store/s3-contract.js'

t.setTimeout(300_000)

const missing = await minio.missing()

// The embedded store is held to the behaviour of the server that S3 clients know.
void t.test('S3 clients work with MinIO as with the embedded store', { skip: missing ?? false }, t =>
  contractSuite(t, minio),
)
void t.test('the minio client works with its own server', { skip: missing ?? false }, t => minioClientSuite(t, minio))
