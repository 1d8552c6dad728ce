import type { ChildRole, History } from './observed.js'
import type { RestartVerdict } from './restart-policy.js'

/** A process that is to be started. */
export interface StartSpec {
  readonly role: ChildRole
  readonly release: string
  readonly place: number
  readonly generation: number
}

/** A worker that balancers send requests to. */
export interface Route {
  /** Name of the child. */
  readonly child: string
  /** It takes nothing new. */
  readonly draining: boolean
}

/** What the executor does, in the order of the list. Times in milliseconds. */
export type Action =
  | { readonly type: 'start'; readonly spec: StartSpec }
  /** It is to have a successor from now on. */
  | { readonly type: 'retire'; readonly child: string; readonly reason: string }
  /** It stays although it is over the memory limit, since the one before it in this place was, too. */
  | { readonly type: 'tolerate'; readonly child: string }
  | { readonly type: 'drain'; readonly child: string }
  /** What has not ended by the deadline is cut; the process is killed a grace later. */
  | { readonly type: 'stop'; readonly child: string; readonly deadlineMs: number; readonly graceMs: number }
  /** Without a reason it has merely missed the deadline of its stop. */
  | { readonly type: 'kill'; readonly child: string; readonly reason?: string }
  /** It has exited, or crashed, without being asked to; its place is filled again as the verdict says. */
  | { readonly type: 'lose'; readonly child: string; readonly verdict: RestartVerdict }
  /** Reloads up to this generation have failed, since this worker did not last. */
  | { readonly type: 'abandon'; readonly child: string; readonly generation: number; readonly replaced: number }
  /** All workers are of this generation. */
  | { readonly type: 'settle'; readonly generation: number; readonly workers: number }
  /** It has exited, and nothing of it is of interest any more. */
  | { readonly type: 'forget'; readonly child: string }
  | { readonly type: 'route'; readonly routes: readonly Route[] }
  /** Nothing is due before this time. */
  | { readonly type: 'wait'; readonly until: number }

/** What one pass has decided. */
export interface Plan {
  readonly actions: readonly Action[]
  /** For the next pass. */
  readonly history: History
}
