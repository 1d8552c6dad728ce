/** Outpost alone has an app of its own, the built-in one. */
export type AppName = 'bench' | 'built-in'

export interface StartOptions {
  workers: number
  redisUrl: string
  /** The Node that runs the peer's own Node processes. */
  node: string
  app?: AppName
  env?: Record<string, string>
  /** For profiles: taken by the peers that hand them down to all their processes. */
  nodeArguments?: readonly string[]
}

/** A peer that serves. */
export interface Running {
  origin: string
  /** Ids of the processes from which all the others of this peer descend. */
  elders: readonly number[]
  stop: () => Promise<void>
  /** Replaces all workers, and resolves when that is done. */
  reload?: () => Promise<void>
}

export interface Peer {
  name: string
  /** One line for a table. */
  is: string
  /** What it lacks on this machine. */
  missing: () => string | undefined
  start: (options: StartOptions) => Promise<Running>
}
