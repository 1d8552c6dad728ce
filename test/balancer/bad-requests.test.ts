import t from 'tap'
import { badRequests, runCase } from '../helpers/bad-requests.js'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

/** Connections to the target that were in use at the same time and are kept for the next request. */
const KEPT = 10

void t.test('bad requests', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const counters = { arrived: () => target.requests.length, lastHeaders: () => target.requests.at(-1)!.headers }
  for (const bad of badRequests) {
    t.same(await runCase(running.port, bad, counters), [], bad.name)
    await running.quiet()
    await until(() => target.open <= KEPT, 'the connections to the target to be back')
  }
})
