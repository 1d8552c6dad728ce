import t from 'tap'
import { badReleases, deploySuite, orders, restart } from './suites/deploy.js'

// Most of the time is spent waiting, so two tests run at once. All of it in both modes is a proof.
t.jobs = 2

void deploySuite(t, 'default mode', orders, restart)
void deploySuite(t, 'mesh mode', badReleases)
