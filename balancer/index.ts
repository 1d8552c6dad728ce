export { Balancer, type BalancerEvents, type Ledger, type TargetSpec } from './balancer.js'
export {
  IDENTITY_HEADER,
  openEnvelope,
  removeEnvelope,
  type ClientIdentity,
  type Sender,
} from './contract/client-envelope.js'
export { balancerErrors, type BalancerErrorCode } from './errors.js'
export { targetHeaderLimits, type HeaderLimits } from './contract/header-limits.js'
export type { LocalApp } from './transports/local-target.js'
export { defaultOptions, resolveOptions, type BalancerOptions } from './options.js'
