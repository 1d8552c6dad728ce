import type { Action, Plan, StartSpec } from './action.js'
import type { Desired, Limits } from './desired.js'
import { placeKey, type ChildRole, type History, type Observed, type ObservedChild } from './observed.js'

/** A place that one serving process is always to fill. */
export interface Place {
  readonly key: string
  readonly role: ChildRole
  readonly release: string
  readonly index: number
  /** The process that fills the place: the oldest that has not given it up. */
  readonly holder: ObservedChild | undefined
  /** Started to succeed the holder, which serves until this one is proven. */
  readonly successor: ObservedChild | undefined
}

/** The program's own code, which balancers run. */
export const OWN_RELEASE = 'outpost'

/** One pass of the plan: the known facts, the wanted places, and the decisions so far. */
export class Pass {
  readonly #actions: Action[] = []
  readonly #places: readonly Place[]
  #nextDue = Infinity
  #history: History
  /** Processes that are killed in this pass. No other action concerns them. */
  readonly #killed = new Set<string>()

  constructor(
    readonly desired: Desired,
    readonly observed: Observed,
    readonly limits: Limits,
    readonly now: number,
  ) {
    this.#history = observed.history
    this.#places = placesOf(desired, this.children)
  }

  get children(): readonly ObservedChild[] {
    return this.observed.children
  }

  get history(): History {
    return this.#history
  }

  remember(changed: Partial<History>): void {
    this.#history = { ...this.#history, ...changed }
  }

  /** Places in order: balancers first, then the workers of each release. */
  places(role?: ChildRole): readonly Place[] {
    return role === undefined ? this.#places : this.#places.filter(place => place.role === role)
  }

  isWanted(child: ObservedChild): boolean {
    const key = placeKey(child)
    return this.#places.some(place => place.key === key)
  }

  /** The generation that all workers are to have. After a failed reload it is the one before, until the next reload. */
  get generation(): number {
    const { settled, abandonedUpTo } = this.#history
    return this.desired.generation > abandonedUpTo ? this.desired.generation : settled
  }

  act(action: Action): void {
    if (action.type === 'kill') this.#killed.add(action.child)
    else if ((action.type === 'drain' || action.type === 'stop') && this.#killed.has(action.child)) return
    this.#actions.push(action)
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

function placesOf(desired: Desired, children: readonly ObservedChild[]): Place[] {
  const holders = new Map<string, ObservedChild[]>()
  for (const child of children) {
    if (child.leaving || child.state === 'exited') continue
    const key = placeKey(child)
    const others = holders.get(key)
    if (others === undefined) holders.set(key, [child])
    else others.push(child)
  }
  const place = (role: ChildRole, release: string, index: number): Place => {
    const key = placeKey({ role, release, place: index })
    const [holder, successor] = (holders.get(key) ?? []).sort((a, b) => a.startedAt - b.startedAt)
    return { key, role, release, index, holder, successor }
  }
  const balancers = Array.from({ length: desired.balancers }, (_, index) => place('balancer', OWN_RELEASE, index))
  const workers = desired.releases.flatMap(({ id, workers }) =>
    Array.from({ length: workers }, (_, index) => place('worker', id, index)),
  )
  return [...balancers, ...workers]
}
