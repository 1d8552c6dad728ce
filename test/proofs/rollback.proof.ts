import t from 'tap'
import { rollbackSuite } from '../integration/suites/rollback.js'

t.setTimeout(300_000)

void t.test('a rollback ends what is under way, with a balancer', t => rollbackSuite(t, { BALANCERS: '1' }))
