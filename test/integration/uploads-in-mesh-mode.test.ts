import t from 'tap'
import { uploadSuite } from '../helpers/upload-suite.js'

void t.test('uploads in mesh mode', t => uploadSuite(t, '0'))
