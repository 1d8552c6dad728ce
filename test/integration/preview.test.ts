import t from 'tap'
import { previewOverStarts, previewSuite } from './suites/preview.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

// The other mode of each is a proof. In mesh mode each worker has to know who gets the preview.
void t.test('a release is looked at before clients get it, in mesh mode', t => previewSuite(t, '0'))
void t.test('a preview survives a restart of the program, with a balancer', t => previewOverStarts(t, '1'))
