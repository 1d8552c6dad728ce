import t from 'tap'
import { MODES } from '../helpers/modes.js'
import { gracefulStop, stopAtOnce, stopAtTheDeadline } from './suites/shutdown.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(
    `slow requests are answered before a stop, no new ones are accepted, and idle connections do not delay it, in ${mode}`,
    t => gracefulStop(t, BALANCERS),
  )
}

// The other mode of each is a proof.
void t.test('a request that does not end is cut at the deadline of a stop, in mesh mode', t =>
  stopAtTheDeadline(t, '0'),
)
void t.test('a second signal ends the instance at once, with a balancer', t => stopAtOnce(t, '1'))
