import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { TargetSpec } from '../contract/targets.js'
import type { BalancerOptions } from '../options.js'
import type { Transport } from '../transports/transport.js'
import { fewestInFlight, leastBusy, roundRobin, weighedLoad } from './pick.js'
import { BASE, ReleaseShares } from './release-shares.js'
import { Target, type Ending, type TargetObserver, type TargetState } from './target.js'

/** `none-ready`: no target may take the request. `full`: some may, but all of them are at their limit. */
export type NoPick = 'none-ready' | 'full'

interface PoolEvents {
  /** A target can be picked now that could not be picked before. */
  available: []
  changed: [target: Target, from: TargetState]
  drained: [target: Target]
}

/** Targets that a request may be sent to, in their order, and whose turn it is. */
interface Choice {
  targets: readonly Target[]
  turn: number
}

/** The targets, and the choice of one for a request. */
export class TargetPool extends EventEmitter<PoolEvents> implements TargetObserver {
  readonly #targets = new Map<string, Target>()
  /** The last that were removed: how a process ended may become known after that. */
  readonly #removed = new Map<string, Target>()
  readonly #all: Choice = { targets: [], turn: 0 }
  /** The targets of each release, while clients get several. */
  readonly #ofRelease = new Map<string, Choice>()
  readonly releases: ReleaseShares
  /** Requests wait for the event loops of targets, so each goes where the fewest are. */
  areDelayed = false
  /** Mesh mode: the app in this process, which is preferred to its siblings. */
  #local: Target | undefined

  constructor(
    private readonly options: BalancerOptions,
    private readonly random: () => number = Math.random,
  ) {
    super()
    this.releases = new ReleaseShares(options.identityKey, random)
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
    return this.#all.targets
  }

  /** How many requests may wait for an answer at once, those included that wait at targets which take no others now. */
  get capacity(): number {
    const { maxInFlight } = this.options
    let sum = this.#all.targets.length * maxInFlight
    if (this.#all.targets.length === this.#targets.size) return sum
    for (const target of this.#targets.values()) {
      if (!this.#all.targets.includes(target)) sum += Math.min(target.inFlight, maxInFlight)
    }
    return sum
  }

  /** Requests in flight at all targets, upgraded connections as well. */
  get inFlight(): number {
    let sum = 0
    for (const { inFlight, bound, upgraded } of this.#targets.values()) sum += inFlight + bound + upgraded
    return sum
  }

  /** Whether it is the app in this process. */
  isLocal({ id }: Pick<Target, 'id'>): boolean {
    return id === this.#local?.id
  }

  /** The targets that get requests: in mesh mode the app in this process. */
  get used(): readonly Target[] {
    return this.#local?.state === 'ready' ? [this.#local] : this.#all.targets
  }

  /** Finds answers of the app in this process that have begun. */
  noteLocalAnswers(): void {
    this.#local?.noteAnswers()
  }

  /** Whether a request could be placed now. */
  get open(): boolean {
    return this.#all.targets.some(target => !target.full)
  }

  /**
   * @param tried targets that have failed this request, which are picked only if there is no other
   * @param request decides on the release, while clients get several
   */
  pick(tried?: ReadonlySet<Target>, request?: IncomingMessage): Target | NoPick {
    const release = request === undefined ? undefined : this.releases.of(request)
    return release === undefined ? this.#pickFrom(this.#all, tried) : this.#pickOf(release, tried)
  }

  /**
   * The target with the fewest requests in flight of those that have no suspect.
   * @param tried targets that are picked only if there is no other
   * @param request decides on the release, while clients get several
   */
  pickAlone(tried?: ReadonlySet<Target>, request?: IncomingMessage): Target | undefined {
    const free = this.#all.targets.filter(target => !target.full && !target.hasSuspect && this.suits(target, request))
    const untried = free.filter(target => tried?.has(target) !== true)
    const [first, ...others] = untried.length > 0 ? untried : free
    return first && others.reduce((least, target) => (target.inFlight < least.inFlight ? target : least), first)
  }

  /** Whether the target runs a release that the client of this request may get. */
  suits({ id }: Target, request: IncomingMessage | undefined): boolean {
    const release = request === undefined ? undefined : this.releases.of(request)
    if (release === undefined) return true
    const own = this.releases.ofTarget(id)
    if (own === release) return true
    return own === BASE && !this.#isPreview(release) && this.#choiceOf(release).targets.length === 0
  }

  /** Sets which targets run which release, and how many clients get it. */
  shareClients(specs: readonly TargetSpec[]): void {
    if (!this.releases.set(specs)) return
    this.#refresh()
    this.emit('available')
  }

  /** The targets that have a suspect. */
  withSuspects(): Target[] {
    return this.#all.targets.filter(target => target.hasSuspect)
  }

  /** How many targets may be ejected now. At most half of them may be out at a time. */
  get ejectable(): number {
    const targets = [...this.#targets.values()].filter(target => target.state !== 'draining')
    const ejected = targets.filter(target => target.state === 'ejected').length
    return Math.floor(targets.length / 2) - ejected
  }

  targetChanged(target: Target, from: TargetState): void {
    const before = this.#all.targets.length
    this.#refresh()
    this.emit('changed', target, from)
    if (target.state === 'ready' || this.#all.targets.length > before) this.emit('available')
  }

  targetHasRoom(_target: Target): void {
    this.emit('available')
  }

  targetDrained(target: Target): void {
    this.emit('drained', target)
  }

  #isPreview(release: string): boolean {
    return release === this.releases.preview?.release
  }

  #choiceOf(release: string): Choice {
    return this.#ofRelease.get(release) ?? NOTHING
  }

  /**
   * Clients of a share get the other release while theirs has no target that could take the request. Nobody else gets a
   * release that is being tried.
   */
  #pickOf(release: string, tried: ReadonlySet<Target> | undefined): Target | NoPick {
    const own = this.#choiceOf(release)
    const compared = release === BASE ? this.#pickCompared(own, tried) : undefined
    if (compared !== undefined) return compared
    if (release === BASE || this.#isPreview(release)) return this.#pickFrom(own, tried)
    const untried = own.targets.some(target => !target.full && tried?.has(target) !== true)
    return this.#pickFrom(untried ? own : this.#choiceOf(BASE), tried)
  }

  /**
   * Mesh mode: what a trial gets goes to another process. So does a share of the other requests, as large, because the
   * latencies of both releases can be compared only if they are made alike.
   */
  #pickCompared({ targets }: Choice, tried: ReadonlySet<Target> | undefined): Target | undefined {
    const share = this.releases.trialShare
    if (this.#local === undefined || share === 0 || this.random() >= share) return undefined
    const others = targets.filter(target => !this.isLocal(target) && !target.full && tried?.has(target) !== true)
    return others[Math.floor(this.random() * others.length)]
  }

  #pickFrom(choice: Choice, tried: ReadonlySet<Target> | undefined): Target | NoPick {
    if (choice.targets.length === 0) return 'none-ready'
    const local = this.#local
    const isFree = local?.state === 'ready' && !local.full && tried?.has(local) !== true
    if (isFree && (choice === this.#all || choice.targets.includes(local))) return local
    const index = this.#choose(choice, tried)
    if (index >= 0) return choice.targets[index] as Target
    return tried === undefined ? 'full' : this.#pickFrom(choice, undefined)
  }

  #choose(choice: Choice, tried: ReadonlySet<Target> | undefined): number {
    const { targets } = choice
    if (this.options.balance === 'least-busy') {
      const now = performance.now()
      return leastBusy(targets, this.random, target => weighedLoad(target, now, this.options.slowStartMs), tried)
    }
    const index = (this.areDelayed ? fewestInFlight : roundRobin)(targets, choice.turn, tried)
    // A retry takes no turn, so that first tries stay even.
    if (index >= 0 && tried === undefined) choice.turn = (index + 1) % targets.length
    return index
  }

  #refresh(): void {
    renew(this.#all, this.#findPickable())
    if (!this.releases.areSeveral) return this.#ofRelease.clear()
    for (const release of this.releases.names) {
      const choice = this.#ofRelease.get(release) ?? { targets: [], turn: 0 }
      this.#ofRelease.set(release, choice)
      renew(
        choice,
        this.#all.targets.filter(({ id }) => this.releases.ofTarget(id) === release),
      )
    }
  }

  /**
   * The ready targets. If more than half of the live ones look unhealthy, the checks are more likely wrong than the
   * targets, so health is ignored ("panic"). A target that refuses connections is never picked.
   */
  #findPickable(): readonly Target[] {
    const alive = [...this.#targets.values()].filter(({ state }) => PICKABLE_IN_PANIC.has(state))
    const ready = alive.filter(target => target.state === 'ready')
    return ready.length * 2 >= alive.length ? ready : alive
  }
}

function renew(choice: Choice, targets: readonly Target[]): void {
  choice.targets = targets
  choice.turn = targets.length === 0 ? 0 : choice.turn % targets.length
}

const NOTHING: Choice = { targets: [], turn: 0 }

const REMEMBERED = 64

const PICKABLE_IN_PANIC = new Set<TargetState>(['ready', 'unhealthy', 'ejected'])
