import { randomBytes } from 'node:crypto'
import type { ServerOptions } from 'node:http'
import { defaults } from './contract/defaults.js'
import { edgeHeaderLimits } from './contract/header-limits.js'
import { ownHeaders, type OwnHeaders } from './errors.js'

/** How many proxies in front are trusted, or the addresses and ranges (CIDR) of those that are. */
export type TrustProxy = number | readonly string[]

/** The settings of a balancer. Times are in milliseconds, sizes in bytes. */
export interface BalancerOptions {
  /** `round-robin` by request, or `least-busy`: of two targets drawn at random, the one with fewer requests in flight. */
  balance: 'round-robin' | 'least-busy'
  /**
   * Number of trusted proxies in front, or their addresses and ranges. With 0 the client's own X-Forwarded-* headers
   * are ignored.
   */
  trustProxy: TrustProxy
  /** Secret shared with the targets, which seals the identity of a request's client. Without spaces. */
  identityKey: string

  healthPath: string
  /** The health check of a load balancer in front, which is answered here while requests are held back on purpose. */
  edgeHealthPath: string | undefined
  /** An answer with a status below this one is a good probe. */
  healthyBelow: number
  /**
   * Pause between the end of a probe and the next, and the longest that a probe may take. The pause is longer while a
   * target is good and more than four balancers probe it.
   */
  healthIntervalMs: number
  healthTimeoutMs: number
  /** Bad probes in a row that take a target out, and good ones that bring it back. */
  healthFall: number
  healthRise: number
  /** Pause between probes of a target that has not been ready yet, or that refused connections. */
  joinIntervalMs: number

  /** Gateway failures in a row that eject a target, the length of the first ejection and of the longest. */
  ejectAfter: number
  ejectMs: number
  ejectMaxMs: number

  /** From the end of the request to the first byte of its answer. */
  upstreamTimeoutMs: number
  /** A request body may make no progress for this long, and `upstreamTimeoutMs` longer if the target does not read it. */
  bodyIdleMs: number
  /** A client may leave its answer unread this long. */
  clientStallMs: number
  /**
   * The lowest rate of a request body and of the reading of an answer, over `bodyIdleMs` and `clientStallMs`. A body
   * that its target is slow to read may be slower.
   */
  minBytesPerSecond: number
  /** An unused connection to a target is closed after this. Must be shorter than `targetKeepAliveMs`. */
  upstreamIdleMs: number
  /** How long the targets keep an unused connection. */
  targetKeepAliveMs: number
  /** An unused connection of a client is kept this long. */
  clientIdleMs: number
  /** The headers of a request must arrive within this time: 408. */
  headersTimeoutMs: number
  /** The handshake of an upgrade must complete within this time. */
  upgradeTimeoutMs: number

  /** Tries beyond the first, and the largest body that is held in memory so that it can be sent again. */
  retries: number
  heldBodyBytes: number
  /** A body up to this size that arrives with its head is sent on with it; 0 for none. */
  shortBodyBytes: number
  /** Share of the requests that may be retried, and the retries per second that are always allowed. */
  retryBudgetRatio: number
  retryBudgetFloor: number

  /** Memory for the held bodies of all clients. A body for which there is none is sent on as it comes, once. */
  heldBytes: number
  /** Memory for requests that wait for earlier ones on their connections, and the part of it that one connection fills. */
  pipelinedBytes: number
  pipelinedBytesOfOne: number
  /** Memory, of the system as well, for answers that clients do not read. */
  unreadBytes: number
  /** Over its share of `unreadBytes`, a client may leave its answers unread this long. */
  unreadShareMs: number

  /** How many requests may wait for a target, and how long they wait while none is ready. */
  holdLimit: number
  holdMs: number
  /** Requests in flight per target. While all targets are full, a request waits for `overloadWaitMs`. */
  maxInFlight: number
  overloadWaitMs: number
  /**
   * Requests in flight per target that belong to a session there. They are counted separately: most are long polls.
   * They go to their target even while it drains, and to any other once it has gone.
   */
  maxBound: number
  /**
   * The way to keep the requests of a client at one target: a cookie, the client's address, or its connection. With
   * `connection` it also has a connection of its own to that target.
   */
  sticky: 'off' | 'cookie' | 'ip' | 'connection'
  /** Open connections of clients. */
  maxSockets: number
  /** Open files (descriptors) for connections of clients and to targets. */
  maxOpenFiles: number
  /** Upgraded connections of one client, which is an IPv4 address or an IPv6 /64. Beyond it: 429. */
  maxUpgradedPerClient: number
  /** Headers of a request, and the bytes of these and the request line. Beyond either: 431. */
  maxHeaders: number
  maxHeaderBytes: number

  /** The targets are workers that take frames, which costs less than a connection for each request in flight. */
  frames: boolean

  /** Where copies of answers outlive this process; undefined: they are kept in memory alone. */
  keptFolder: string | undefined

  /** Headers of the answers that are given here. Those of targets do not carry them. */
  ownHeaders: OwnHeaders

  /** The classes of requests and responses, for a local app that needs its own. */
  messages: Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'>

  /**
   * Upgraded connections take turns as well when what one client sends keeps the event loop busy. False where the process
   * paces what its app reads of them.
   */
  upgradedInTurns: boolean

  /** With `least-busy`, the share of a new target grows to its full size over this time. */
  slowStartMs: number
}

export const defaultOptions: BalancerOptions = {
  ...defaults,
  identityKey: randomBytes(32).toString('base64url'),

  edgeHealthPath: undefined,
  healthyBelow: 500,
  healthIntervalMs: 2_000,
  healthTimeoutMs: 1_000,
  healthFall: 3,
  healthRise: 2,
  joinIntervalMs: 50,

  ejectAfter: 5,
  ejectMs: 10_000,
  ejectMaxMs: 300_000,

  bodyIdleMs: 60_000,
  clientStallMs: 300_000,
  upstreamIdleMs: 60_000,
  targetKeepAliveMs: 75_000,
  clientIdleMs: 75_000,
  headersTimeoutMs: 30_000,
  upgradeTimeoutMs: 10_000,

  retries: 2,
  heldBodyBytes: 64 * 1024,
  shortBodyBytes: 16 * 1024,
  retryBudgetRatio: 0.2,
  retryBudgetFloor: 10,

  heldBytes: 64 * 1024 ** 2,
  pipelinedBytes: 16 * 1024 ** 2,
  pipelinedBytesOfOne: 64 * 1024,
  unreadBytes: 256 * 1024 ** 2,
  unreadShareMs: 5_000,

  overloadWaitMs: 50,
  maxBound: 10_000,
  sticky: 'off',
  maxOpenFiles: Infinity,
  ...edgeHeaderLimits,

  frames: false,
  keptFolder: undefined,

  ownHeaders,

  messages: {},
  upgradedInTurns: true,

  slowStartMs: 10_000,
}

/** Fills in the defaults. Throws a `RangeError` if two values contradict each other. */
export function resolveOptions(given: Partial<BalancerOptions>): BalancerOptions {
  const options = Object.freeze({ ...defaultOptions, ...given })
  if (options.targetKeepAliveMs <= options.upstreamIdleMs) {
    throw new RangeError('targetKeepAliveMs must be longer than upstreamIdleMs: a target must not close first')
  }
  return options
}
