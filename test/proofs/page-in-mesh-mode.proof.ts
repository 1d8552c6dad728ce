import t from 'tap'
import { noBrowser, openBrowser } from '../helpers/browser.js'
import { Cluster } from '../helpers/cluster.js'
import { sharedPageSuite } from '../integration/suites/page.js'

void t.test('the page works in mesh mode', { skip: noBrowser }, async t => {
  const cluster = await Cluster.start(t, { BALANCERS: '0', RATE_LIMIT_MAX: '0' })
  await sharedPageSuite(t, cluster, await openBrowser(t))
})
