import t from 'tap'
import { stopDuringStart } from '../integration/suites/interrupted-upgrade.js'

void t.test('a stop while another version is being started, after an upgrade, ends that as well', t =>
  stopDuringStart(t, 1),
)
