import t from 'tap'
import { killsDuring, late, Starts } from '../integration/suites/killed-deploy.js'

void t.test('a deploy is cut off while workers of the new release run, with a balancer', async t => {
  const starts = await Starts.first(t)
  await killsDuring(t, starts, late)
  t.match(await starts.cluster.stop(), { code: 0 })
})
