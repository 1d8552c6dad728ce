import t from 'tap'
import { productSuite } from '../helpers/product-suite.js'

void t.test('products in mesh mode', t => productSuite(t, '0'))
