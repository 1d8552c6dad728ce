/** What an instance is to be like. Reloads, scaling and the shutdown change it; nothing else does. */
export interface Desired {
  /** Workers of an older generation are replaced, one place after another. Each reload raises it. */
  readonly generation: number
  readonly releases: readonly Release[]
  readonly balancers: number
  /** Set once, when all of it is to end. */
  readonly shutdown?: Shutdown
}

/** Code that workers run. */
export interface Release {
  readonly id: string
  /** How many workers run it. */
  readonly workers: number
}

export interface Shutdown {
  /** Requests in flight are cut then, in the clock of `performance.now()`. */
  readonly cutAt: number
  /** How long each process may take to exit after that, in milliseconds. */
  readonly graceMs: number
}

/** Bounds that the plan keeps. Times in milliseconds. */
export interface Limits {
  /** A worker with more resident memory, in bytes, is replaced; 0 for no limit. */
  readonly workerMaxMemory: number
  /** Requests in flight at a worker that is being replaced may take this long. */
  readonly drainTimeoutMs: number
  /** A process that has nothing in flight any more may take this long to end. */
  readonly stopTimeoutMs: number
  /** A process that is not ready by then is killed, and so is a successor that no balancer finds healthy. */
  readonly startTimeoutMs: number
  /** A process that was not heard of for this long is killed. */
  readonly hangTimeoutMs: number
  /** What is in flight at the end of a drain is cut; its process has this long to say so. */
  readonly cutMs: number
  /** A process that has not exited this long after the deadline of its stop is killed. */
  readonly killGraceMs: number
  /** A process that has served this long is proven: its exit is no sign of a crash loop, and it may succeed another. */
  readonly provenMs: number
}

export const defaultLimits: Limits = {
  workerMaxMemory: 0,
  drainTimeoutMs: 300_000,
  stopTimeoutMs: 30_000,
  startTimeoutMs: 30_000,
  hangTimeoutMs: 10_000,
  cutMs: 500,
  killGraceMs: 1_000,
  provenMs: 1_000,
}
