import t from 'tap'
import { previewOverStarts, previewSuite } from '../integration/suites/preview.js'

t.setTimeout(300_000)

void t.test('a release is looked at before clients get it, with a balancer', t => previewSuite(t, '1'))
void t.test('a preview survives a restart of the program, in mesh mode', t => previewOverStarts(t, '0'))
