import type { TargetSpec } from '#balancer/contract/targets.js'
import type { ChildRole, History } from './observed.js'
import type { RestartVerdict } from './restart-policy.js'

/** A process to be started. */
export interface StartSpec {
  readonly role: ChildRole
  readonly release: string
  readonly place: number
  readonly generation: number
}

/** A worker that balancers send requests to, with all that the plan decides about it. */
export interface Route extends Readonly<Omit<TargetSpec, 'id' | 'socketPath'>> {
  /** Name of the child. */
  readonly child: string
}

/** The steps that the executor carries out, in the order of the list. Times in milliseconds. */
export type Action =
  | { readonly type: 'start'; readonly spec: StartSpec }
  /** The child is to be replaced by a successor. */
  | { readonly type: 'replace'; readonly child: string; readonly reason: string }
  /** The child is over the memory limit and is kept, because its predecessor was replaced for the same reason. */
  | { readonly type: 'tolerate'; readonly child: string }
  | { readonly type: 'drain'; readonly child: string }
  /** The child cuts its open requests at the deadline. It is killed if it has not exited a grace period later. */
  | {
      readonly type: 'stop'
      readonly child: string
      readonly deadlineMs: number
      readonly graceMs: number
      readonly settleMs?: number
    }
  /** Without a reason, the child has merely missed the deadline of its stop. */
  | { readonly type: 'kill'; readonly child: string; readonly reason?: string }
  /** The child exited or crashed without being asked to. The verdict says when its place is filled again. */
  | { readonly type: 'lose'; readonly child: string; readonly verdict: RestartVerdict }
  /** Reloads up to this generation have failed, because this worker did not last. */
  | { readonly type: 'abandon'; readonly child: string; readonly generation: number; readonly replaced: number }
  /** All workers are of this generation now. */
  | { readonly type: 'settle'; readonly generation: number }
  /** The child has exited and is no longer needed. */
  | { readonly type: 'forget'; readonly child: string }
  | { readonly type: 'route'; readonly routes: readonly Route[] }
  /** Nothing is due before this time. */
  | { readonly type: 'wait'; readonly until: number }

/** The result of one pass. */
export interface Plan {
  readonly actions: readonly Action[]
  /** For the next pass. */
  readonly history: History
}
