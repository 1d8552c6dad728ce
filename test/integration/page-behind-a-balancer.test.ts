import t from 'tap'
import { noBrowser } from '../helpers/browser.js'
import { pageSuite } from '../helpers/page-suite.js'

void t.test('the page behind a balancer', { skip: noBrowser }, t => pageSuite(t, '1'))
