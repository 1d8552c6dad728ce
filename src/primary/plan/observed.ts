import type { RestartHistory } from './restart-policy.js'

export type ChildRole = 'worker' | 'balancer'

/**
 * - `starting`: forked, not ready yet
 * - `ready`: serves
 * - `crashed`: threw an uncaught exception, hands over what it can, and exits by itself (mesh mode)
 * - `draining`: takes nothing new, what it has goes on
 * - `stopping`: told to end, or killed
 * - `exited`
 */
export type ChildState = 'starting' | 'ready' | 'crashed' | 'draining' | 'stopping' | 'exited'

/** A process as the plan sees it. Times are in milliseconds of one steady clock. */
export interface ObservedChild {
  /** Unique over all roles and the life of the primary, e.g. "worker 3". */
  readonly name: string
  readonly role: ChildRole
  /** The release that it runs; of a balancer the program's own. */
  readonly release: string
  /** Which of the places of its role and release it was started for: 0, 1 … */
  readonly place: number
  readonly generation: number
  readonly state: ChildState
  readonly startedAt: number
  /** Undefined until it was ready. */
  readonly readyAt: number | undefined
  readonly heardAt: number
  /** Undefined until it was told to drain. */
  readonly drainingSince: number | undefined
  /** When it is killed unless it has ended; undefined until it was told to stop. */
  readonly killAt: number | undefined
  /** It has given up its place: told to drain or to stop, or crashed. */
  readonly leaving: boolean
  /** How long it served, in milliseconds, from ready to now or to its end; 0 when it never was ready. */
  readonly servedMs: number
  /** Ready, and every balancing process has found it so. */
  readonly reachable: boolean
  /** Nothing is in flight at it, or will be. */
  readonly drained: boolean
  readonly rssBytes: number
  /** Why it is to be replaced; undefined when it is not. */
  readonly retiring: string | undefined
  /** It is over the memory limit, and the log says that it stays. */
  readonly tolerated: boolean
  /** The plan has taken its loss into account. */
  readonly counted: boolean
}

export interface Observed {
  readonly children: readonly ObservedChild[]
  readonly history: History
  /** When the primary last woke from a sleep of its own: nobody could be heard of before. */
  readonly awakeSince: number
}

/** What the plan has to know of the past. It makes a new one in each pass, for the next. */
export interface History {
  /** The generation that all workers were brought to last. */
  readonly settled: number
  readonly restarts: Readonly<Record<ChildRole, RestartHistory>>
  /** When a worker was last replaced for its memory, by its place. */
  readonly memoryReplacedAt: ReadonlyMap<string, number>
}

export const noHistory: History = {
  settled: 0,
  restarts: { worker: { places: new Map(), earlyExits: [] }, balancer: { places: new Map(), earlyExits: [] } },
  memoryReplacedAt: new Map(),
}

/** Names a place of a release, over all roles. */
export function placeKey({ role, release, place }: Pick<ObservedChild, 'role' | 'release' | 'place'>): string {
  return `${role} ${release}/${place}`
}
