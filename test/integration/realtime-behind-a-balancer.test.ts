import t from 'tap'
import { realtimeSuite } from '../helpers/realtime-suite.js'

void t.test('realtime behind a balancer', t => realtimeSuite(t, '1'))
