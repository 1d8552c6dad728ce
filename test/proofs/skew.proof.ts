import t from 'tap'
import { skew } from '../integration/suites/skew.js'

// One balancer, and none, are in the suite.
void skew(t, '2', '2')
