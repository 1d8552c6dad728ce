/**
 * How long a worker keeps a connection that a balancer does not use. Longer than balancers keep one themselves, so that
 * they are always the ones who close it: a balancer checks that when it is made.
 */
export const WORKER_KEEP_ALIVE_MS = 75_000
