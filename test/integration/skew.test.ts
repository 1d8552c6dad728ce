import t from 'tap'
import { skew } from './suites/skew.js'

// Most of the time is spent waiting, so two tests run at once. Two balancers share their copies as workers do: a proof.
t.jobs = 2

void skew(t, '1', '1')
void skew(t, '0', '2')
