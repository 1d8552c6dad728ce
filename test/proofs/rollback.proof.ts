import t from 'tap'
import { rollbackSuite } from '../integration/suites/rollback.js'

void t.test('a rollback ends what is under way, with a balancer', t => rollbackSuite(t, { BALANCERS: '1' }))
