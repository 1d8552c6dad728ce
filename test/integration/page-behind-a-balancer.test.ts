import t from 'tap'
import { noBrowser, openBrowser, Visitor } from '../helpers/browser.js'
import { Cluster } from '../helpers/cluster.js'
import { pageSuite, sharedPageSuite } from './suites/page.js'

void t.test('the page works behind a balancer', { skip: noBrowser }, async t => {
  const cluster = await Cluster.start(t, { RATE_LIMIT_MAX: '0' })
  const browser = await openBrowser(t)
  t.afterEach(() => Visitor.allLeave(browser))
  await sharedPageSuite(t, cluster, browser)
  await pageSuite(t, cluster, browser)
})
