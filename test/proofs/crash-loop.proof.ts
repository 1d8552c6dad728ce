import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'

void t.test('an app that fails at each start is parked, with one clear message', async t => {
  const cluster = Cluster.spawn(t, { APP: fixture('broken-app.js'), WORKERS: '4' })
  t.match(await cluster.printed(/crash loop/, 60_000), 'no database here', 'the message has the reason')
  await until(() => cluster.pids('worker').length === 0, 'the last worker to exit', 30_000)
  const tries = cluster.lines.filter(line => /^\[worker \d+\] Error: no database here/.test(line)).length
  t.ok(tries <= 16, `${tries} tries`)
  t.equal(cluster.lines.filter(line => line.includes('crash loop')).length, 1)
  t.match(await cluster.stop(), { code: 0 }, 'the instance still handles signals')
})
