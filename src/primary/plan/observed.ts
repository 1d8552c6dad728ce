import type { RestartHistory } from './restart-policy.js'

export type ChildRole = 'worker' | 'balancer'

/**
 * - `starting`: forked, not ready yet
 * - `ready`: serving
 * - `crashed`: threw an uncaught exception, hands over what it can, and exits by itself (mesh mode)
 * - `draining`: takes no new requests and finishes those that it has
 * - `stopping`: ordered to exit, or killed
 * - `exited`
 */
export type ChildState = 'starting' | 'ready' | 'crashed' | 'draining' | 'stopping' | 'exited'

/** A process as the plan sees it. Times are in milliseconds of one steady clock. */
export interface ObservedChild {
  /** Unique over all roles and the life of the primary, e.g. "worker 3". */
  readonly name: string
  readonly role: ChildRole
  /** The release that the process runs; for a balancer, the program's own. */
  readonly release: string
  /** The place, among those of its role and release, that it was started for: 0, 1 … */
  readonly place: number
  readonly generation: number
  readonly state: ChildState
  readonly startedAt: number
  /** Undefined before the process is ready. */
  readonly readyAt: number | undefined
  readonly heardAt: number
  /** Undefined before the order to drain. */
  readonly drainingSince: number | undefined
  /** The time at which it is killed unless it has exited; undefined before the order to stop. */
  readonly killAt: number | undefined
  /** The process has given up its place: it was ordered to drain or stop, or has crashed. */
  readonly leaving: boolean
  /** How long the process has served, in milliseconds, from ready to now or to its end; 0 if it never was ready. */
  readonly servedMs: number
  /** The process is ready, and every balancing process has found it ready. */
  readonly reachable: boolean
  /** Nothing is in flight at the process, and nothing new will be sent to it. */
  readonly drained: boolean
  readonly rssBytes: number
  /** In the last second, as it has told. */
  readonly lastSecond: { readonly cpuUse: number; readonly loopUse: number; readonly requestsPerSecond: number }
  /** The reason to replace the process; undefined when there is none. */
  readonly replaceReason: string | undefined
  /** The process is over the memory limit, and the log says that it is kept. */
  readonly tolerated: boolean
  /** A request ended the process, so its end is no sign of a crash loop. */
  readonly pardoned: boolean
  /** The plan has taken its loss into account. */
  readonly counted: boolean
}

/** Facts about a process that the balancing processes report. */
export type Reachability = Pick<ObservedChild, 'reachable' | 'drained'>

export interface Observed {
  readonly children: readonly ObservedChild[]
  readonly history: History
  /** The time at which the primary last woke from a sleep. It received no messages before. */
  readonly awakeSince: number
  /** Processes, by name, of which a request has been found since the last pass to have ended them. Some are gone already. */
  readonly pardons: readonly string[]
}

/** The past, as far as the plan needs it. Each pass returns a new history for the next. */
export interface History {
  /** The generation of the last reload that replaced all workers. */
  readonly settled: number
  /** Reloads up to this generation that have not settled have failed, or were given up. */
  readonly abandonedUpTo: number
  readonly restarts: Readonly<Record<ChildRole, RestartHistory>>
  /** The time at which a worker was last replaced for its memory, by place. */
  readonly memoryReplacedAt: ReadonlyMap<string, number>
}

export const noHistory: History = {
  settled: 0,
  abandonedUpTo: 0,
  restarts: { worker: { places: new Map(), earlyExits: [] }, balancer: { places: new Map(), earlyExits: [] } },
  memoryReplacedAt: new Map(),
}

/** Names a place of a release, over all roles. */
export function placeKey({ role, release, place }: Pick<ObservedChild, 'role' | 'release' | 'place'>): string {
  return `${role} ${release}/${place}`
}
