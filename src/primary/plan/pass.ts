import type { Action, Plan, StartSpec } from './action.js'
import type { Desired, PlanLimits } from './desired.js'
import type { History, Observed, ObservedChild } from './observed.js'
import { placesOf, type Place } from './place.js'

/** One pass of the plan: the known facts, the wanted places, and the decisions so far. */
export class Pass {
  readonly #actions: Action[] = []
  readonly children: readonly ObservedChild[]
  /** The wanted places in order: balancers first, then the workers of each release. */
  readonly places: readonly Place[]
  /** The wanted places of workers. */
  readonly workers: readonly Place[]
  #nextDue = Infinity
  #history: History
  /** Processes that are killed in this pass. No other action concerns them. */
  readonly #killed = new Set<string>()
  /** Processes that are ordered to drain in this pass. */
  readonly #drained = new Set<string>()

  constructor(
    readonly desired: Desired,
    readonly observed: Observed,
    readonly limits: PlanLimits,
    readonly now: number,
  ) {
    this.#history = observed.history
    this.children = observed.children
    this.places = placesOf(desired, this.children)
    this.workers = this.places.filter(({ role }) => role === 'worker')
  }

  get history(): History {
    return this.#history
  }

  remember(changed: Partial<History>): void {
    this.#history = { ...this.#history, ...changed }
  }

  isWanted(child: ObservedChild): boolean {
    return this.places.some(place => place.isOf(child))
  }

  /** The generation that all workers are to have. After a failed reload it is the previous one, until the next reload. */
  get generation(): number {
    const { settled, abandonedUpTo } = this.#history
    return this.desired.generation > abandonedUpTo ? this.desired.generation : settled
  }

  act(action: Action): void {
    if (action.type === 'kill') this.#killed.add(action.child)
    else if ((action.type === 'drain' || action.type === 'stop') && this.#killed.has(action.child)) return
    if (action.type === 'drain') this.#drained.add(action.child)
    this.#actions.push(action)
  }

  /** The time since which a process drains, including an order of this pass; undefined if it does not. */
  drainingSince({ name, drainingSince }: ObservedChild): number | undefined {
    return drainingSince ?? (this.#drained.has(name) ? this.now : undefined)
  }

  start(spec: StartSpec): void {
    this.act({ type: 'start', spec })
  }

  /** Requests a pass at this time, unless the time is over. */
  lookAgainAt(time: number): void {
    if (time > this.now) this.#nextDue = Math.min(this.#nextDue, time)
  }

  /** Whether this process is ready and has served long enough to count as proven. */
  isProven(child: ObservedChild | undefined): boolean {
    if (child?.reachable !== true || child.readyAt === undefined) return false
    this.lookAgainAt(child.readyAt + this.limits.provenMs)
    return this.now - child.readyAt >= this.limits.provenMs
  }

  end(): Plan {
    if (this.#nextDue < Infinity) this.act({ type: 'wait', until: this.#nextDue })
    return { actions: this.#actions, history: this.#history }
  }
}
