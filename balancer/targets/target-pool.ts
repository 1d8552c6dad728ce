import { EventEmitter } from 'node:events'
import type { BalancerOptions } from '../options.js'
import { leastBusy, roundRobin, weighedLoad } from './pick.js'
import { Target, type TargetObserver, type TargetState, type Transport } from './target.js'

/** `none-ready`: nobody may take it. `full`: somebody may, but all are at their limit. */
export type NoPick = 'none-ready' | 'full'

interface PoolEvents {
  /** A target may be picked that could not be a moment ago. */
  available: []
  changed: [target: Target, from: TargetState]
  drained: [target: Target]
}

/** The set of targets, and which of them are pickable. */
export class TargetPool extends EventEmitter<PoolEvents> implements TargetObserver {
  readonly #targets = new Map<string, Target>()
  #pickable: Target[] = []
  #turn = 0
  /** In mesh mode: the app in this process, which is preferred to its siblings. */
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
    target.markGone()
  }

  get(id: string): Target | undefined {
    return this.#targets.get(id)
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

  /** Whether a request could be placed now. */
  get open(): boolean {
    return this.#pickable.some(target => !target.full)
  }

  /** @param tried targets that have failed this request already: taken only when there is no other */
  pick(tried?: ReadonlySet<Target>): Target | NoPick {
    if (this.#pickable.length === 0) return 'none-ready'
    const local = this.#local
    if (local?.state === 'ready' && !local.full && tried?.has(local) !== true) return local
    const index = this.#choose(tried)
    if (index >= 0) return this.#pickable[index] as Target
    return tried === undefined ? 'full' : this.pick()
  }

  /** How many may be ejected now, so that ejection never takes more than half of them. */
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
    // A try after a failure takes nobody's turn: the order stays even by request.
    if (index >= 0 && tried === undefined) this.#turn = (index + 1) % this.#pickable.length
    return index
  }

  /**
   * The ready ones. When more than half of those that are alive seem unwell, the fault is rather in the measure than
   * in the targets: then health is ignored ("panic"). One that refuses connections is never picked.
   */
  #findPickable(): Target[] {
    const alive = [...this.#targets.values()].filter(({ state }) => PICKABLE_IN_PANIC.has(state))
    const ready = alive.filter(target => target.state === 'ready')
    const joined = ready.length * 2 >= alive.length ? ready : alive
    this.#turn = joined.length === 0 ? 0 : this.#turn % joined.length
    return joined
  }
}

const PICKABLE_IN_PANIC = new Set<TargetState>(['ready', 'unhealthy', 'ejected'])
