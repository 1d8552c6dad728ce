import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerOptions } from 'node:http'
import { edgeHeaderLimits } from './contract/header-limits.js'

/** Everything that can be set about a balancer. Times are in milliseconds, sizes in bytes. */
export interface BalancerOptions {
  /** `round-robin` by request, or `least-busy`: the one with fewer requests in flight of two drawn at random. */
  balance: 'round-robin' | 'least-busy'
  /** Number of trusted proxies in front; 0 means that the client's own X-Forwarded-* are worth nothing. */
  trustProxy: number
  /** Shared with the targets, who believe what is sealed with it about the client of a request. No spaces. */
  identityKey: string

  healthPath: string
  /** An answer with a status below this one is a good probe. */
  healthyBelow: number
  /** Pause between the end of one probe and the next, and how long one may take. */
  healthIntervalMs: number
  healthTimeoutMs: number
  /** Probes in a row that take a target out, and that bring it back. */
  healthFall: number
  healthRise: number
  /** Pause between the probes of a target that has not been ready yet. */
  joinIntervalMs: number

  /** Gateway failures in a row that eject a target; for how long the first time; the longest. */
  ejectAfter: number
  ejectMs: number
  ejectMaxMs: number

  /** From the end of the request to the first byte of its answer. */
  upstreamTimeoutMs: number
  /** A request body may stand still this long; where it is the target that does not read it, `upstreamTimeoutMs` more. */
  bodyIdleMs: number
  /** A client may leave what it is sent untaken this long. */
  clientStallMs: number
  /** An unused connection to a target is closed after this; must be shorter than the target's keep-alive. */
  upstreamIdleMs: number
  /** The targets' own keep-alive, checked against `upstreamIdleMs`. */
  targetKeepAliveMs: number
  /** A client's unused connection is kept this long. */
  clientIdleMs: number
  /** The headers of a request must have come by then: 408. */
  headersTimeoutMs: number
  /** The handshake of an upgrade must be over by then. */
  upgradeTimeoutMs: number

  /** Tries beyond the first, and the largest body that is held so that it can be sent again. */
  retries: number
  heldBodyBytes: number
  /** Share of the requests that may be tried again, and the tries a second that are always allowed. */
  retryBudgetRatio: number
  retryBudgetFloor: number

  /** Requests that wait while no target is ready, and for how long. */
  holdLimit: number
  holdMs: number
  /** Requests in flight per target; over it a request waits `overloadWaitMs` at the most. */
  maxInFlight: number
  overloadWaitMs: number
  /**
   * The id of the target that a request belongs to, when only that one can serve it (a session that lives there).
   * It goes there out of turn, also while the target drains; to any other when the target has gone.
   */
  affinity(request: IncomingMessage): string | undefined
  /** Such requests in flight per target. They are counted apart: most of them wait for something to happen. */
  maxBound: number
  /** Connections that are open at once. */
  maxSockets: number
  /** Of them the upgraded ones of one client, which is an address, or the /64 of an IPv6 address; over it 429. */
  maxUpgradedPerClient: number
  /** Headers of a request, and their bytes with those of the request line; over either 431. */
  maxHeaders: number
  maxHeaderBytes: number

  /** Of what requests and responses are made, for a local app that wants them of classes of its own. */
  messages: Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'>

  /** Under `least-busy` a new target's share grows to its full size over this time. */
  slowStartMs: number
}

export const defaultOptions: BalancerOptions = {
  balance: 'round-robin',
  trustProxy: 0,
  identityKey: randomBytes(32).toString('base64url'),

  healthPath: '/health',
  healthyBelow: 500,
  healthIntervalMs: 2_000,
  healthTimeoutMs: 1_000,
  healthFall: 3,
  healthRise: 2,
  joinIntervalMs: 50,

  ejectAfter: 5,
  ejectMs: 10_000,
  ejectMaxMs: 300_000,

  upstreamTimeoutMs: 30_000,
  bodyIdleMs: 60_000,
  clientStallMs: 300_000,
  upstreamIdleMs: 60_000,
  targetKeepAliveMs: 75_000,
  clientIdleMs: 75_000,
  headersTimeoutMs: 30_000,
  upgradeTimeoutMs: 10_000,

  retries: 2,
  heldBodyBytes: 64 * 1024,
  retryBudgetRatio: 0.2,
  retryBudgetFloor: 10,

  holdLimit: 1_024,
  holdMs: 10_000,
  maxInFlight: 256,
  overloadWaitMs: 50,
  affinity: () => undefined,
  maxBound: 10_000,
  maxSockets: 20_000,
  maxUpgradedPerClient: 4_000,
  ...edgeHeaderLimits,

  messages: {},

  slowStartMs: 10_000,
}

/** Fills in the defaults. Throws a `RangeError` for values that break a promise between two of them. */
export function resolveOptions(given: Partial<BalancerOptions>): BalancerOptions {
  const options = Object.freeze({ ...defaultOptions, ...given })
  if (options.targetKeepAliveMs <= options.upstreamIdleMs) {
    throw new RangeError('targetKeepAliveMs must be longer than upstreamIdleMs: a target must not close first')
  }
  return options
}
