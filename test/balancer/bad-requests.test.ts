import type { IncomingMessage } from 'node:http'
import t from 'tap'
import type { LocalApp } from '#balancer'
import { badRequests, runCase } from '../helpers/bad-requests.js'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

/** Idle connections to the target that the balancer may keep. */
const KEPT = 10

void t.test('bad requests are refused in front of a target on a socket', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const counters = { arrived: () => target.requests.length, lastHeaders: () => target.requests.at(-1)!.headers }
  for (const bad of badRequests) {
    t.same(await runCase(running.port, bad, counters), [], bad.name)
    await running.quiet()
    await until(() => target.open <= KEPT, 'the connections to the target to be back')
  }
})

void t.test('bad requests are refused in front of an app in the same process', async t => {
  const requests: IncomingMessage[] = []
  const app: LocalApp = {
    handleRequest(request, response) {
      requests.push(request)
      request.resume().once('end', () => response.end('hello'))
    },
    upgrades: () => false,
    handleUpgrade: () => undefined,
  }
  const running = await RunningBalancer.start(t, [])
  running.balancer.setLocal('self', app)
  const counters = { arrived: () => requests.length, lastHeaders: () => requests.at(-1)!.headers }
  for (const bad of badRequests) {
    t.same(await runCase(running.port, bad, counters), [], bad.name)
    await running.quiet()
  }
})
