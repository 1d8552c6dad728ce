import t from 'tap'
import { startAfterDeath } from '../integration/suites/primary-death.js'

t.setTimeout(300_000)

void t.test('after the primary was killed, the next start does not wait and finds all data, with a balancer', t =>
  startAfterDeath(t, '1'),
)
