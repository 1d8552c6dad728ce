import { coldStart, reloadUnderLoad } from './lifecycle.js'
import { fixedRate } from './fixed-rate.js'
import { loginStorm } from './login-storm.js'
import { memory } from './memory.js'
import { overload } from './overload.js'
import { perBalancers, perWorkers, pickCost } from './scale.js'
import { shapes } from './shapes.js'
import { health, me, products } from './throughput.js'
import { uploads } from './uploads.js'
import { websockets } from './websockets.js'
import type { Workload } from './workload.js'

/** The most important first. */
export const workloads: readonly Workload[] = [
  health,
  me,
  products,
  shapes,
  fixedRate,
  loginStorm,
  overload,
  uploads,
  websockets,
  memory,
  coldStart,
  reloadUnderLoad,
  pickCost,
  perWorkers,
  perBalancers,
]
