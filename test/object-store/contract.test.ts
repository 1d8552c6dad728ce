import t from 'tap'
import { embedded } from '../helpers/s3-servers.js'
import { contractSuite } from './s3-contract.js'

t.setTimeout(300_000)

void t.test('S3 clients work with the embedded store', t => contractSuite(t, embedded))
