/** The desired state of an instance. Only reloads, scaling, deploys and the shutdown change it. */
export interface Desired {
  /** Workers of an older generation are replaced, one place after another. Each reload raises it. */
  readonly generation: number
  /** Reloads up to this generation that are under way are not wanted any more. */
  readonly givenUpTo?: number
  readonly releases: readonly Release[]
  readonly balancers: number
  /** Set once, when the instance is to stop. */
  readonly shutdown?: Shutdown
}

/** A version of the code that workers run. */
export interface Release {
  readonly id: string
  /** How many workers run it. With 0 it is withdrawn: those that it has end at once. */
  readonly workers: number
  /** The share of the clients that get it, from 0 to 1; undefined for the one release that all others get. */
  readonly share?: number
}

export interface Shutdown {
  /** The time at which requests in flight are cut, in the clock of `performance.now()`. */
  readonly cutAt: number
  /** How long each process may take to exit after that, in milliseconds. */
  readonly graceMs: number
  /** How long connections without a request stay open, because one may be on its way; undefined for not at all. */
  readonly settleMs?: number
}

/** Bounds that the plan keeps. Times in milliseconds. */
export interface PlanLimits {
  /** A worker with more resident memory, in bytes, is replaced; 0 for no limit. */
  readonly workerMaxMemory: number
  /** Requests in flight at a worker that is being replaced may take this long. */
  readonly drainTimeoutMs: number
  /** A process that has nothing in flight may take this long to exit. */
  readonly stopTimeoutMs: number
  /** A process that is not ready within this time is killed. So is a successor that no balancer finds healthy. */
  readonly startTimeoutMs: number
  /** A process that sends no message for this long is killed. */
  readonly hangTimeoutMs: number
  /** Requests in flight at the end of a drain are cut. The process has this long to answer them. */
  readonly cutMs: number
  /** A process that has not exited this long after the deadline of its stop is killed. */
  readonly killGraceMs: number
  /** A process that has served this long is proven. Its exit is no sign of a crash loop, and it may succeed another. */
  readonly provenMs: number
}

/** The bounds that no variable of the environment sets. */
export const fixedLimits = {
  hangTimeoutMs: 10_000,
  cutMs: 500,
  killGraceMs: 1_000,
  provenMs: 1_000,
} as const satisfies Partial<PlanLimits>
