import type { Action, Plan, StartSpec } from '#src/primary/plan/action.js'
import { fixedLimits, type Desired, type PlanLimits, type Release } from '#src/primary/plan/desired.js'
import { noHistory, placeKey, type ChildRole, type History, type Observed } from '#src/primary/plan/observed.js'
import { ReleaseSwitch } from '#src/primary/releases/release-switch.js'
import { Chance } from '#scripts/lib/chance.js'
import { ChildFates } from './child-fates.js'
import { EventQueue } from './event-queue.js'
import { FakeChild } from './fake-child.js'
import { Invariants } from './invariants.js'
import { BrokenInvariant, SimulationError, type SimulatedWorld } from './simulated-world.js'

export type PlanFunction = (desired: Desired, observed: Observed, limits: PlanLimits, now: number) => Plan

const FAULTS_MS = 40_000
/** Longer than the wait of a parked place, a drain, a start and a hang may take, one after the other. */
const CALM_MS = 240_000
const ENDING_MS = 20_000
const LOOK_MS = 1_000
const TIMEOUTS = { startTimeoutMs: 30_000, drainTimeoutMs: 20_000, stopTimeoutMs: 5_000 }
const MAX_PASSES = 12

/**
 * An instance without processes: fake children, a fake clock, seeded chance. For a while processes exit, hang, crash,
 * grow, start slowly or never, and commands come at any moment. Then the faults end, and the desired state must be
 * reached.
 */
export class World implements SimulatedWorld {
  readonly #chance: Chance
  readonly #children = new Map<string, FakeChild>()
  readonly #story: string[] = []
  readonly #invariants: Invariants
  readonly #nextId = { worker: 1, balancer: 1 }
  readonly #events = new EventQueue()
  readonly #fates: ChildFates
  #generation = 0
  #lastRelease = 0
  readonly #switch: ReleaseSwitch
  #wanted: { desired: Desired; places: ReadonlySet<string> } | undefined
  #wakeUp = Infinity
  #nextLook = 0
  now = 0
  awakeSince = 0
  history: History = noHistory
  desired: Desired
  workers: number
  readonly limits: PlanLimits

  constructor(
    readonly seed: number,
    private readonly plan: PlanFunction,
  ) {
    this.#chance = new Chance(seed)
    this.#invariants = new Invariants(this)
    this.#fates = new ChildFates({
      chance: this.#chance,
      now: () => this.now,
      later: (fromMs, toMs, happen) => this.#later(fromMs, toMs, happen),
      tell: what => this.#tell(what),
    })
    const balancers = this.#chance.between(0, 2)
    this.workers = this.#chance.between(1, 4)
    this.desired = { generation: 0, releases: [], balancers }
    const workerMaxMemory = this.#chance.happens(0.3) ? 200 : 0
    this.limits = { ...fixedLimits, ...TIMEOUTS, workerMaxMemory }
    this.#switch = new ReleaseSwitch('r0', this.limits)
  }

  /** @throws {SimulationError} */
  run(): void {
    try {
      this.#scheduleCommands()
      this.#pass()
      this.#runUntil(FAULTS_MS)
      this.#tell('all is calm from here on')
      this.#fates.calmDown(this.children())
      this.#runUntil(this.now + CALM_MS, () => this.#isOver || this.#invariants.unlikeDesired() === undefined)
      if (!this.#isOver) {
        this.#invariants.checkConverged()
        this.#shutDown()
      }
      this.#runUntil(this.now + ENDING_MS, () => this.#children.size === 0)
      this.#invariants.checkEnded()
    } catch (error) {
      throw new SimulationError(this.seed, error as Error, this.#story)
    }
  }

  /** The events so far, a line each. */
  get story(): readonly string[] {
    return this.#story
  }

  children(): FakeChild[] {
    return [...this.#children.values()]
  }

  child(name: string): FakeChild | undefined {
    return this.#children.get(name)
  }

  wantedPlaces(): ReadonlySet<string> {
    const { desired } = this
    if (this.#wanted?.desired !== desired) this.#wanted = { desired, places: this.#placesOf(desired) }
    return this.#wanted.places
  }

  #placesOf({ balancers, releases }: Desired): Set<string> {
    const places = (role: ChildRole, release: string, count: number): string[] =>
      Array.from({ length: count }, (_, place) => placeKey({ role, release, place }))
    return new Set([
      ...places('balancer', 'outpost', balancers),
      ...releases.flatMap(({ id, workers }) => places('worker', id, workers)),
    ])
  }

  /** A shutdown was commanded. */
  get #isOver(): boolean {
    return this.desired.shutdown !== undefined
  }

  #runUntil(end: number, isOver: () => boolean = () => false): void {
    while (!isOver()) {
      const next = Math.min(this.#events.nextAt, this.#wakeUp, this.#nextLook)
      if (next > end) {
        this.now = end
        return
      }
      this.now = Math.max(this.now, next)
      this.#events.happenUntil(this.now)
      if (this.now >= this.#nextLook) this.#look()
      this.#pass()
    }
  }

  /** Heartbeats come each second, and so does a pass. */
  #look(): void {
    this.#nextLook = this.now + LOOK_MS
    for (const child of this.#children.values()) {
      if (!child.hung && child.state !== 'exited') child.heardAt = this.now
    }
  }

  /** Runs passes, like the executor, until there is nothing to do at this moment. */
  #pass(): void {
    for (let passes = 0; ; passes++) {
      if (passes > MAX_PASSES) throw new BrokenInvariant('the plan does not come to rest')
      const children = this.children().map(child => child.observe(this.now))
      if (!this.#isOver) this.#want(this.#switch.releases(children, this.workers, this.now, this.awakeSince))
      const observed = { children, history: this.history, awakeSince: this.awakeSince, pardons: [] }
      const { actions, history } = this.plan(this.desired, observed, this.limits, this.now)
      this.history = history
      this.#wakeUp = Math.max(this.#switch.due, this.now + 1)
      let changed = false
      this.#invariants.checkPlan(actions)
      for (const action of actions) changed = this.#carryOut(action) || changed
      if (!changed) return this.#invariants.checkAtRest(this.#wakeUp)
    }
  }

  #carryOut(action: Action): boolean {
    this.#invariants.check(action)
    if (action.type === 'route') return false
    if (action.type === 'wait') {
      this.#wakeUp = Math.min(this.#wakeUp, Math.max(action.until, this.now + 1))
      return false
    }
    if (action.type === 'start') this.#start(action.spec)
    else if (action.type === 'settle') this.#tell(`all workers are of generation ${action.generation}`)
    else {
      const child = this.#children.get(action.child)
      if (child !== undefined) this.#carryOutOn(child, action)
    }
    return true
  }

  #carryOutOn(child: FakeChild, action: Extract<Action, { child: string }>): void {
    this.#tell(`${action.type} ${child.name}${'reason' in action ? `: ${action.reason}` : ''}`)
    if (action.type === 'replace') child.replaceReason = action.reason
    else if (action.type === 'tolerate') child.tolerated = true
    else if (action.type === 'drain') this.#fates.drained(child)
    else if (action.type === 'stop') this.#fates.stopped(child, action.deadlineMs, action.graceMs)
    else if (action.type === 'kill') this.#fates.killed(child)
    else if (action.type === 'forget') this.#children.delete(child.name)
    else child.counted = true
    if (action.type === 'lose') this.#lose(child)
  }

  /** The same list is the same object, so that what is made of it is made once. */
  #want(releases: readonly Release[]): void {
    if (JSON.stringify(releases) !== JSON.stringify(this.desired.releases)) this.desired = { ...this.desired, releases }
  }

  #lose(child: FakeChild): void {
    const { name, spec, pardoned } = child
    const { servedMs } = child.observe(this.now)
    const early = servedMs < this.limits.provenMs && !pardoned
    this.#switch.lost({ name, release: spec.release, ending: 'an exit', servedMs, early })
  }

  #start(spec: StartSpec): void {
    const name = `${spec.role} ${this.#nextId[spec.role]++}`
    const child = new FakeChild(name, spec, this.now)
    this.#children.set(name, child)
    this.#tell(`start ${name} for place ${spec.place}, generation ${spec.generation}`)
    this.#fates.started(child)
  }

  #scheduleCommands(): void {
    for (let count = this.#chance.between(0, 8); count > 0; count--) {
      this.#later(0, FAULTS_MS, () => this.#command(this.#chance.next()))
    }
  }

  #command(which: number): void {
    if (this.#isOver) return
    if (which < 0.3) this.#changeRelease()
    else if (which < 0.6) {
      if (this.#switch.underWay !== undefined) return
      this.#generation += 1
      this.#tell(`reload to generation ${this.#generation}`)
      this.#invariants.noteReload()
      this.desired = { ...this.desired, generation: this.#generation }
    } else if (which < 0.8) {
      const workers = this.#chance.between(0, 5)
      this.#tell(`scale to ${workers} workers`)
      this.workers = workers
    } else if (which < 0.87) {
      const balancers = this.#chance.between(1, 3)
      this.#tell(`scale to ${balancers} balancers`)
      this.desired = { ...this.desired, balancers }
    } else if (which < 0.91) {
      this.#fates.switchDatabase()
    } else if (which < 0.96) this.#sleep(this.#chance.between(3_000, 90_000))
    else this.#shutDown()
  }

  /** A deploy of a new release, or a rollback: to one of those before, or of what is under way. During a reload only a rollback. */
  #changeRelease(): void {
    const { settled, abandonedUpTo } = this.history
    if (this.#switch.underWay !== undefined) return this.#endChange()
    const isReloading = this.#generation > Math.max(settled, abandonedUpTo)
    if (!isReloading && this.#chance.happens(0.3)) return this.#changePreview()
    const back = `r${this.#chance.between(0, this.#lastRelease)}`
    const isBack = back !== this.#switch.current && this.#chance.happens(0.4)
    if (isReloading && !isBack) return
    if (isReloading) this.#giveUpReload()
    const to = isBack ? back : `r${++this.#lastRelease}`
    const stages = this.#chance.happens(0.5) ? [] : [{ share: this.#chance.next(), ms: this.#chance.between(1, 8_000) }]
    this.#tell(`change to ${to}${stages.length === 0 ? '' : ', with a bake'}`)
    const watcher = {
      baking: (share: number) => this.#tell(`${to} gets ${share.toFixed(2)} of the clients`),
      filling: () => undefined,
      live: () => {
        if (this.#chance.happens(0.1)) throw new Error('the disk is full')
        this.#tell(`${to} is live`)
      },
      takenBack: ({ reason }: { reason: string }) => this.#tell(`${to} is taken back: ${reason}`),
    }
    const keepWarmMs = this.#chance.between(0, 20_000)
    this.#switch.begin({ to, stages: isBack ? [] : stages, keepWarmMs, watcher }, this.now)
  }

  #giveUpReload(): void {
    this.#tell(`the reload to generation ${this.#generation} is given up`)
    this.#invariants.noteGivenUp(this.#generation)
    this.desired = { ...this.desired, givenUpTo: this.#generation }
  }

  #endChange(): void {
    if (this.#chance.happens(0.5)) return
    this.#tell('rollback of what is under way')
    this.#switch.endChange({ reason: 'the app was rolled back', isByHand: true })
  }

  /** A release that no client gets is begun, in place of another one, or ended. */
  #changePreview(): void {
    if (this.#switch.preview !== undefined && this.#chance.happens(0.3)) {
      this.#tell('the preview ends')
      return this.#switch.endPreview()
    }
    const release = `r${++this.#lastRelease}`
    this.#tell(`preview of ${release}`)
    const watcher = {
      ready: () => this.#tell(`${release} is in preview`),
      failed: ({ reason }: { reason: string }) => this.#tell(`the preview of ${release} has failed: ${reason}`),
      ended: () => this.#tell(`the preview of ${release} is over`),
    }
    this.#switch.beginPreview({ release, watcher }, this.now)
  }

  /** The machine is asleep: no process runs, and none sends a message. */
  #sleep(ms: number): void {
    this.#tell(`the machine sleeps for ${ms} ms`)
    this.#events.delay(ms)
    this.now += ms
    this.awakeSince = this.now
  }

  #shutDown(): void {
    this.#tell('shutdown')
    this.desired = { ...this.desired, shutdown: { cutAt: this.now + 10_000, graceMs: 500 } }
    this.#pass()
  }

  /** Something that happens at a time drawn between the two, from now. */
  #later(fromMs: number, toMs: number, happen: () => void): void {
    this.#events.add(this.now + this.#chance.between(fromMs, toMs), happen)
  }

  #tell(what: string): void {
    this.#story.push(`${(this.now / 1_000).toFixed(3).padStart(9)} s  ${what}`)
  }
}
