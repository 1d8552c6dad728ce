import t from 'tap'
import { exportsFirst, ownPortAlone } from '../integration/suites/strangers-waited-for.js'

// Nearly all of the time is the wait of the first worker. Each in the other mode is in the suite.
t.jobs = 2

void exportsFirst(t, 'default mode')
void ownPortAlone(t, 'mesh mode')
