import t from 'tap'
import { realtimeSuite } from '../helpers/realtime-suite.js'

void t.test('realtime in mesh mode', t => realtimeSuite(t, '0'))
