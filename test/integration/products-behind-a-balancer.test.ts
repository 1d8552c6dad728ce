import t from 'tap'
import { productSuite } from '../helpers/product-suite.js'

void t.test('products behind a balancer', t => productSuite(t, '1'))
