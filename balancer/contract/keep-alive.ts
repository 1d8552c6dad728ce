/**
 * How long a worker keeps an unused connection of a balancer. Balancers close theirs earlier, so a request never meets
 * a connection that its worker is closing. `resolveOptions` checks this.
 */
export const WORKER_KEEP_ALIVE_MS = 75_000
