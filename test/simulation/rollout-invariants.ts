import type { StartSpec } from '#src/primary/plan/action.js'
import { placeKey } from '#src/primary/plan/observed.js'
import type { FakeChild } from './fake-child.js'
import { ensure, occupantsOf, type SimulatedWorld } from './simulated-world.js'

const DRAIN_PATIENCE_MS = 10_000
const MEMORY_PAUSE_MS = 60_000

/** The promises about replacements: one at a time, and a reload is over when all workers are new. */
export class RolloutInvariants {
  #abandonedUpTo = 0
  /** When a worker was last replaced for its memory, by place. */
  readonly #memoryReplacedAt = new Map<string, number>()

  constructor(private readonly world: SimulatedWorld) {}

  /** The generation that all workers are to have in the end. */
  get generation(): number {
    const { desired, history } = this.world
    return desired.generation > this.#abandonedUpTo ? desired.generation : history.settled
  }

  noteAbandoned(generation: number): void {
    ensure(generation > this.#abandonedUpTo, `generation ${generation} is abandoned twice`)
    this.#abandonedUpTo = generation
  }

  /** New processes run the wanted code; after a failed reload, that from before. */
  checkStart(spec: StartSpec): void {
    const { role, generation } = spec
    ensure(generation === this.generation, `a ${role} is started for generation ${generation}`)
    const key = placeKey(spec)
    const [holder] = occupantsOf(this.world, key)
    const isInTurn = holder !== undefined && holder.replaceReason === undefined && holder.spec.generation < generation
    if (role === 'worker' && isInTurn) this.#checkTurn(key, generation)
  }

  /** A place is in turn when those before it have ready workers and the replaced ones had time to drain. */
  #checkTurn(key: string, generation: number): void {
    for (const place of this.world.wantedPlaces()) {
      if (place === key) break
      const [holder] = occupantsOf(this.world, place)
      const isFilled = !place.startsWith('worker') || holder?.state === 'ready'
      ensure(isFilled, `a reload replaces ${key} while ${place} has no ready worker`)
    }
    for (const { name, spec, state, drainingSince = -Infinity } of this.world.children()) {
      if (spec.role === 'balancer' || spec.generation >= generation || state === 'exited') continue
      const isPatient = this.world.now - drainingSince >= DRAIN_PATIENCE_MS
      ensure(isPatient, `a reload replaces ${key} while ${name} drains`)
    }
  }

  checkSettle(generation: number): void {
    ensure(generation > this.#abandonedUpTo, `generation ${generation} has failed and settles`)
    for (const place of this.world.wantedPlaces()) {
      const [holder] = occupantsOf(this.world, place)
      if (!place.startsWith('worker')) continue
      ensure(holder?.state === 'ready', `generation ${generation} settles while ${place} has no ready worker`)
      ensure(holder.spec.generation >= generation, `generation ${generation} settles while ${place} is of old code`)
    }
    for (const { name, spec, state, drainingSince = -Infinity } of this.world.children()) {
      if (spec.role === 'balancer' || spec.generation >= generation || state === 'exited') continue
      const isPatient = this.world.now - drainingSince >= DRAIN_PATIENCE_MS
      ensure(isPatient, `generation ${generation} settles while ${name} drains`)
    }
  }

  /** A memory limit that all workers exceed replaces one at a time, and each place once a minute. */
  checkReplacement(child: FakeChild, reason: string): void {
    const { now, limits } = this.world
    const { name, key, rssBytes } = child
    ensure(reason.startsWith('over memory limit'), `${name} is replaced for no reason of the plan`)
    ensure(limits.workerMaxMemory > 0 && rssBytes > limits.workerMaxMemory, `${name} is not over the memory limit`)
    const last = this.#memoryReplacedAt.get(key) ?? -Infinity
    ensure(now - last >= MEMORY_PAUSE_MS, `${key} is replaced for its memory twice in a minute`)
    this.#memoryReplacedAt.set(key, now)
    const other = this.world.children().find(each => each !== child && this.#isBeingReplaced(each))
    ensure(other === undefined, `${name} is replaced for its memory beside ${other?.name}`)
    const taken = [...this.world.wantedPlaces()].find(place => {
      return place.startsWith('worker') && occupantsOf(this.world, place).length > 1
    })
    ensure(taken === undefined, `${name} is replaced for its memory while ${taken} is being replaced`)
  }

  /** A reload replaces one place at a time. */
  checkAtRest(): void {
    const replaced = [...this.world.wantedPlaces()].filter(place => {
      const [holder, successor] = occupantsOf(this.world, place)
      if (holder === undefined || successor === undefined || holder.spec.role === 'balancer') return false
      return holder.replaceReason === undefined && holder.spec.generation < this.generation
    })
    ensure(replaced.length <= 1, `a reload replaces ${replaced.join(' and ')} at the same time`)
  }

  #isBeingReplaced({ spec, state, leaving, replaceReason }: FakeChild): boolean {
    if (spec.role === 'balancer' || state === 'exited') return false
    return leaving || replaceReason !== undefined
  }
}
