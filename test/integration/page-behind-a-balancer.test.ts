import t from 'tap'
import { noBrowser, openBrowser } from '../helpers/browser.js'
import { Cluster } from '../helpers/cluster.js'
import { pageSuite, sharedPageSuite } from './suites/page.js'

void t.test('the page works behind a balancer', { skip: noBrowser }, async t => {
  const cluster = await Cluster.start(t, { RATE_LIMIT_MAX: '0' })
  const browser = await openBrowser(t)
  // A page that is left open would show what later tests say, too.
  t.afterEach(async () => {
    for (const context of browser.contexts()) await context.close()
  })
  await sharedPageSuite(t, cluster, browser)
  await pageSuite(t, cluster, browser)
})
