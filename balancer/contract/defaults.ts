/** The default settings of a balancer that its users know, too. Times are in milliseconds. */
export const defaults = Object.freeze({
  balance: 'round-robin',
  trustProxy: 0,
  healthPath: '/health',
  upstreamTimeoutMs: 30_000,
  minBytesPerSecond: 256,
  maxInFlight: 256,
  maxSockets: 20_000,
  maxUpgradedPerClient: 4_000,
  holdLimit: 1_024,
  holdMs: 10_000,
} as const)
