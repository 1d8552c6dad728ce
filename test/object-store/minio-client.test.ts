import t from 'tap'
import { embedded } from '../helpers/s3-servers.js'
import { minioClientSuite } from './minio-client.js'

t.setTimeout(120_000)

void t.test('the minio client works with the embedded server', t => minioClientSuite(t, embedded))
