import t from 'tap'
import { idlePool, idleReleases, spareWorker } from '../integration/suites/scale-to-zero.js'

// Most of the time is spent waiting, so three tests run at once. Each in the other mode is in the suite.
t.jobs = 3

void idlePool(t, 'default mode')
void idleReleases(t, 'mesh mode')
void spareWorker(t, 'mesh mode')
