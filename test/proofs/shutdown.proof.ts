import t from 'tap'
import { stopAtOnce, stopAtTheDeadline } from '../integration/suites/shutdown.js'

void t.test('a request that does not end is cut at the deadline of a stop, with a balancer', t =>
  stopAtTheDeadline(t, '1'),
)
void t.test('a second signal ends the instance at once, in mesh mode', t => stopAtOnce(t, '0'))
