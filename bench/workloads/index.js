import { coldStart, reloadUnderLoad } from './lifecycle.js'
import { fixedRate } from './fixed-rate.js'
import { loginStorm } from './login-storm.js'
import { overload } from './overload.js'
import { perWorkers, pickCost } from './scale.js'
import { health, me, products } from './throughput.js'
import { uploads } from './uploads.js'
import { websockets } from './websockets.js'

/**
 * @typedef {object} Outcome
 * @property {string} title
 * @property {object[]} columns see `lib/report.js`
 * @property {object[]} rows
 * @property {object[]} goals
 * @property {string[]} notes
 * @property {object} raw every round of everything that was measured
 * @property {object} [bars] what the chart shows of it
 *
 * @typedef {object} Workload
 * @property {string} name
 * @property {(context: import('../lib/context.js').Context) => Promise<Outcome | { skipped: string }>} run
 */

/** The most important first. @type {Workload[]} */
export const workloads = [
  health,
  me,
  products,
  fixedRate,
  loginStorm,
  overload,
  uploads,
  websockets,
  coldStart,
  reloadUnderLoad,
  pickCost,
  perWorkers,
]
