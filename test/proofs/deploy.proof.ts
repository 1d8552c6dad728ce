import t from 'tap'
import { badReleases, deploySuite, orders, restart } from '../integration/suites/deploy.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

void deploySuite(t, 'default mode', badReleases, orders, restart)
void deploySuite(t, 'mesh mode', badReleases, orders, restart)
