import type { Action } from '#src/primary/plan/action.js'
import { placeKey, type ObservedChild } from '#src/primary/plan/observed.js'
import type { FakeChild } from './fake-child.js'
import type { World } from './world.js'

/** A broken promise of the plan. */
export class BrokenInvariant extends Error {}

function ensure(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BrokenInvariant(what)
}

const SPIN_WINDOW_MS = 10_000
/** A process that exits early is started this often within the window, at the most, by the back-off; with a margin. */
const MAX_STARTS = 16

/** The invariants, checked at every step. */
export class Invariants {
  readonly #done = new Map<string, Set<string>>()
  readonly #starts = new Map<string, number[]>()
  /** Reloads give places a new chance. */
  readonly #reloads: number[] = []
  #abandonedUpTo = 0

  constructor(private readonly world: World) {}

  noteReload(): void {
    this.#reloads.push(this.world.now)
  }

  /** Before an action on a process is carried out. */
  check(action: Action): void {
    if (action.type === 'start') this.#checkStart(placeKey(action.spec))
    if (!('child' in action)) return
    const child = this.world.child(action.child)
    ensure(child !== undefined, `${action.type} of ${action.child}, which is not there`)
    this.#checkOnce(action.type, child)
    if (action.type === 'abandon') this.#abandonedUpTo = Math.max(this.#abandonedUpTo, action.generation)
    if (action.type === 'drain') this.#checkDrain(child)
    if (action.type === 'stop') this.#checkStop(child)
    if (action.type === 'kill') this.#checkKill(child, action.reason)
    if (action.type === 'forget') ensure(child.state === 'exited', `${child.name} is forgotten and has not exited`)
    if (action.type === 'lose') ensure(['exited', 'crashed'].includes(child.state), `${child.name} is not lost`)
  }

  /** After a pass. */
  checkAll(): void {
    const occupants = new Map<string, number>()
    for (const child of this.world.children()) {
      if (child.leaving || child.state === 'exited') continue
      const key = placeKey(child.spec)
      occupants.set(key, (occupants.get(key) ?? 0) + 1)
      ensure((occupants.get(key) ?? 0) <= 2, `more than two processes for ${key}`)
    }
  }

  /** After a long time without faults: the observed state is the desired state. */
  checkConverged(): void {
    const fault = this.unlikeDesired()
    ensure(fault === undefined, fault ?? '')
  }

  /** The difference between the observed and the desired state; undefined when there is none. */
  unlikeDesired(): string | undefined {
    const { desired, history } = this.world
    const generation = desired.generation > this.#abandonedUpTo ? desired.generation : history.settled
    const children = this.world.children()
    const wanted = this.world.wantedPlaces()
    if (children.length !== wanted.size) return `there are ${children.length} processes for ${wanted.size} places`
    for (const { name, spec, state, leaving } of children) {
      if (!wanted.delete(placeKey(spec))) return `${name} has no place of its own`
      if (state !== 'ready' || leaving) return `${name} is ${state}`
      if (spec.role === 'worker' && spec.generation < generation) return `${name} is of old code`
    }
    return history.settled === generation ? undefined : 'a reload is still under way'
  }

  checkEnded(): void {
    const left = this.world.children().map(({ name, state }) => `${name} (${state})`)
    ensure(left.length === 0, `the shutdown is over, and there are: ${left.join(', ')}`)
  }

  #checkOnce(type: Action['type'], child: FakeChild): void {
    const done = this.#done.get(child.name) ?? new Set()
    ensure(!done.has(type), `${type} of ${child.name} for the second time`)
    this.#done.set(child.name, done.add(type))
    ensure(child.state !== 'exited' || OF_THE_DEAD.has(type), `${type} of ${child.name}, which has exited`)
  }

  /** A ready process is not taken out before its successor is proven. */
  #checkDrain(child: FakeChild): void {
    if (child.state !== 'ready' || this.world.desired.shutdown !== undefined) return
    const key = placeKey(child.spec)
    if (this.world.wantedPlaces().has(key)) {
      const others = this.world.children().filter(other => other !== child && placeKey(other.spec) === key)
      ensure(
        others.some(other => this.#isProven(other)),
        `${child.name} drains before its successor is proven`,
      )
      return
    }
    for (const place of this.world.wantedPlaces()) {
      const isFilled = this.world.children().some(other => placeKey(other.spec) === place && this.#isProven(other))
      ensure(isFilled, `${child.name} is removed while ${place} is not served`)
    }
  }

  #checkStop(child: FakeChild): void {
    if (child.leaving || this.world.desired.shutdown !== undefined) return
    const holders = this.world.children().filter(other => placeKey(other.spec) === placeKey(child.spec))
    const isSuccessor = holders.some(other => !other.leaving && other.startedAt < child.startedAt)
    ensure(isSuccessor, `${child.name} holds its place and is stopped`)
  }

  #checkKill(child: FakeChild, reason: string | undefined): void {
    const { now, limits, awakeSince } = this.world
    if (reason === undefined) {
      ensure(child.killAt !== undefined && now >= child.killAt, `${child.name} is killed before its deadline`)
    } else if (child.state === 'starting') {
      const due = Math.max(child.startedAt, awakeSince) + limits.startTimeoutMs
      ensure(now >= due, `${child.name} is killed before its start has timed out`)
    } else if (reason.startsWith('no heartbeat')) {
      ensure(child.hung, `${child.name} is killed for a hang, but does not hang`)
    } else ensure(!child.reachable, `${child.name} is killed and is healthy`)
  }

  #checkStart(key: string): void {
    const { now } = this.world
    const recent = (this.#starts.get(key) ?? []).filter(at => at > now - SPIN_WINDOW_MS)
    recent.push(now)
    this.#starts.set(key, recent)
    const reloads = this.#reloads.filter(at => at > now - SPIN_WINDOW_MS).length
    ensure(recent.length <= MAX_STARTS + 3 * reloads, `${key} spins: ${recent.length} starts in 10 s`)
    ensure(this.world.wantedPlaces().has(key), `a process is started for ${key}, which is not wanted`)
  }

  #isProven(child: FakeChild): boolean {
    const { readyAt, leaving } = child
    const seen: ObservedChild = child.observe(this.world.now)
    return seen.reachable && !leaving && readyAt !== undefined && this.world.now - readyAt >= this.world.limits.provenMs
  }
}

const OF_THE_DEAD = new Set<Action['type']>(['lose', 'forget', 'abandon'])
