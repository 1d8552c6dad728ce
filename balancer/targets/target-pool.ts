import { EventEmitter } from 'node:events'
import type { BalancerOptions } from '../options.js'
import type { Transport } from '../transports/transport.js'
import { leastBusy, roundRobin, weighedLoad } from './pick.js'
import { Target, type Ending, type TargetObserver, type TargetState } from './target.js'

/** `none-ready`: no target may take the request. `full`: some may, but all of them are at their limit. */
export type NoPick = 'none-ready' | 'full'

interface PoolEvents {
  /** A target can be picked now that could not be picked before. */
  available: []
  changed: [target: Target, from: TargetState]
  drained: [target: Target]
}

/** The targets, and the choice of one for a request. */
export class TargetPool extends EventEmitter<PoolEvents> implements TargetObserver {
  readonly #targets = new Map<string, Target>()
  /** The last that were removed: how a process ended may become known after that. */
  readonly #removed = new Map<string, Target>()
  #pickable: Target[] = []
  #turn = 0
  /** Mesh mode: the app in this process, which is preferred to its siblings. */
  #local: Target | undefined

  constructor(
    private readonly options: BalancerOptions,
    private readonly random: () => number = Math.random,
  ) {
    super()
  }

  add(id: string, transport: Transport, local = false): Target {
    const target = new Target(id, transport, this.options.maxInFlight, this)
    this.#targets.set(id, target)
    if (local) this.#local = target
    return target
  }

  remove(id: string): void {
    const target = this.#targets.get(id)
    if (target === undefined) return
    this.#targets.delete(id)
    if (target === this.#local) this.#local = undefined
    this.#removed.set(id, target)
    for (const oldest of this.#removed.keys()) if (this.#removed.size > REMEMBERED) this.#removed.delete(oldest)
    target.markGone()
  }

  get(id: string): Target | undefined {
    return this.#targets.get(id)
  }

  /** Records how the process of a target ended. Returns false for an unknown target, or when this is no news. */
  noteEnd(id: string, ending: Ending): boolean {
    const target = this.#targets.get(id) ?? this.#removed.get(id)
    if (target === undefined || target.ending === ending) return false
    if (target.ending !== undefined && ending !== 'explained') return false
    target.noteEnd(ending)
    return true
  }

  targets(): IterableIterator<Target> {
    return this.#targets.values()
  }

  get size(): number {
    return this.#targets.size
  }

  get pickable(): readonly Target[] {
    return this.#pickable
  }

  /** How many requests may wait for an answer at once, those included that wait at targets which take no others now. */
  get capacity(): number {
    const { maxInFlight } = this.options
    let sum = this.#pickable.length * maxInFlight
    if (this.#pickable.length === this.#targets.size) return sum
    for (const target of this.#targets.values()) {
      if (!this.#pickable.includes(target)) sum += Math.min(target.inFlight, maxInFlight)
    }
    return sum
  }

  /** What is in flight at all targets, upgraded connections as well. */
  get inFlight(): number {
    let sum = 0
    for (const { inFlight, bound, upgraded } of this.#targets.values()) sum += inFlight + bound + upgraded
    return sum
  }

  /** Finds answers of the app in this process that have begun. */
  noteLocalAnswers(): void {
    this.#local?.noteAnswers()
  }

  /** Whether a request could be placed now. */
  get open(): boolean {
    return this.#pickable.some(target => !target.full)
  }

  /** @param tried targets that have failed this request, which are picked only if there is no other */
  pick(tried?: ReadonlySet<Target>): Target | NoPick {
    if (this.#pickable.length === 0) return 'none-ready'
    const local = this.#local
    if (local?.state === 'ready' && !local.full && tried?.has(local) !== true) return local
    const index = this.#choose(tried)
    if (index >= 0) return this.#pickable[index] as Target
    return tried === undefined ? 'full' : this.pick()
  }

  /**
   * The target with the fewest requests in flight of those that have no suspect.
   * @param tried targets that are picked only if there is no other
   */
  pickAlone(tried?: ReadonlySet<Target>): Target | undefined {
    const free = this.#pickable.filter(target => !target.full && !target.hasSuspect)
    const untried = free.filter(target => tried?.has(target) !== true)
    const [first, ...others] = untried.length > 0 ? untried : free
    return first && others.reduce((least, target) => (target.inFlight < least.inFlight ? target : least), first)
  }

  /** The targets that have a suspect. */
  withSuspects(): Target[] {
    return this.#pickable.filter(target => target.hasSuspect)
  }

  /** How many targets may be ejected now. At most half of them may be out at a time. */
  get ejectable(): number {
    const targets = [...this.#targets.values()].filter(target => target.state !== 'draining')
    const ejected = targets.filter(target => target.state === 'ejected').length
    return Math.floor(targets.length / 2) - ejected
  }

  targetChanged(target: Target, from: TargetState): void {
    const before = this.#pickable.length
    this.#pickable = this.#findPickable()
    this.emit('changed', target, from)
    if (target.state === 'ready' || this.#pickable.length > before) this.emit('available')
  }

  targetHasRoom(_target: Target): void {
    this.emit('available')
  }

  targetDrained(target: Target): void {
    this.emit('drained', target)
  }

  #choose(tried: ReadonlySet<Target> | undefined): number {
    if (this.options.balance === 'least-busy') {
      const now = performance.now()
      return leastBusy(this.#pickable, this.random, target => weighedLoad(target, now, this.options.slowStartMs), tried)
    }
    const index = roundRobin(this.#pickable, this.#turn, tried)
    // A retry takes no turn, so that first tries stay even.
    if (index >= 0 && tried === undefined) this.#turn = (index + 1) % this.#pickable.length
    return index
  }

  /**
   * The ready targets. If more than half of the live ones look unhealthy, the checks are more likely wrong than the
   * targets, so health is ignored ("panic"). A target that refuses connections is never picked.
   */
  #findPickable(): Target[] {
    const alive = [...this.#targets.values()].filter(({ state }) => PICKABLE_IN_PANIC.has(state))
    const ready = alive.filter(target => target.state === 'ready')
    const joined = ready.length * 2 >= alive.length ? ready : alive
    this.#turn = joined.length === 0 ? 0 : this.#turn % joined.length
    return joined
  }
}

const REMEMBERED = 64

const PICKABLE_IN_PANIC = new Set<TargetState>(['ready', 'unhealthy', 'ejected'])
