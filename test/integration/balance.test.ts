import http from 'node:http'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'

void t.test('a thousand requests are served half by each of two workers', async t => {
  const { url } = await Cluster.start(t)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  t.teardown(() => agent.destroy())
  const served = await count(1_000, async () => (await ask(url, '/health', { agent })).headers['x-outpost-worker'])
  t.equal(served.size, 2)
  for (const number of served.values()) t.ok(Math.abs(number - 500) <= 1, `${number} of 1000`)
})

void t.test('without a balancer process the connections are dealt out in turn', async t => {
  const { url } = await Cluster.start(t, { BALANCERS: '0' })
  const served = await count(100, async () => (await ask(url, '/health')).headers['x-outpost-worker'])
  t.equal(served.size, 2)
  for (const number of served.values()) t.ok(Math.abs(number - 50) <= 1, `${number} of 100`)
})

/** How often each answer came. */
async function count(times: number, once: () => Promise<unknown>): Promise<Map<unknown, number>> {
  const counts = new Map<unknown, number>()
  for (const answer of await Promise.all(Array.from({ length: times }, once))) {
    counts.set(answer, (counts.get(answer) ?? 0) + 1)
  }
  return counts
}
