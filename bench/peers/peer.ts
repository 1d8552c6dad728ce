/** Outpost alone has an app of its own, the built-in one. */
export type AppName = 'bench' | 'built-in'

export interface StartOptions {
  workers: number
  redisUrl: string
  /** The Node that runs the peer's own Node processes. */
  node: string
  app?: AppName
  env?: Record<string, string>
  /** Options of Node for profiles. Only peers that pass them on to all their processes use them. */
  nodeArguments?: readonly string[]
}

/** A running peer. */
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
  /** The part that is missing on this machine. */
  missing: () => string | undefined
  start: (options: StartOptions) => Promise<Running>
}
