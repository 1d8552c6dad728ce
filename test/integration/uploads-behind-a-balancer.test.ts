import t from 'tap'
import { uploadSuite } from '../helpers/upload-suite.js'

void t.test('uploads behind a balancer', t => uploadSuite(t, '1'))
